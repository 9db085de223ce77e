import { type Client, ManualClock, silentLogger, TransportError } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import type { HttpRequest } from "../server/http-routes.ts";
import { CallerAccess } from "./access.ts";

interface Review {
  readonly spec: {
    readonly token?: string;
    readonly audiences?: string[];
    readonly user?: string;
    readonly nonResourceAttributes?: { readonly path: string; readonly verb: string };
  };
}

/** An API server that knows the tokens `good-…`, and lets their owners post to /ask. */
function newBed(audience?: string) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const bed = { isDown: false, mayAsk: true, audiences: [audience ?? "api"] };
  const create = async (_: unknown, { spec }: Review) => {
    await new Promise(setImmediate);
    if (bed.isDown)
      throw new TransportError("ConnectionFailed", { verb: "create", resource: "tokenreviews" }, "down");
    asked.push(spec.token ?? `${spec.user} ${spec.nonResourceAttributes?.verb}`);
    if (spec.token === undefined) {
      const { path, verb } = spec.nonResourceAttributes ?? {};
      return { status: { allowed: bed.mayAsk && path === "/ask" && verb === "post" } };
    }
    const authenticated = spec.token.startsWith("good");
    return {
      status: { authenticated, audiences: bed.audiences, user: { username: spec.token, groups: ["g"] } },
    };
  };
  const access = new CallerAccess({
    client: { create } as unknown as Client,
    clock,
    audience,
    logger: silentLogger,
  });
  const admit = (authorization: string | undefined, path = "/ask", address = "10.0.0.1") =>
    access
      .admit(
        {
          headers: authorization === undefined ? {} : { authorization },
          socket: { authorized: false },
          remoteAddress: address,
        } as unknown as HttpRequest,
        "post",
        path,
      )
      .then(
        ({ username }) => username,
        (error: { status?: number }) => error.status,
      );
  return { clock, asked, admit, bed };
}

describe("who may ask", () => {
  it("is asked once for a while, and a no for a shorter one", async () => {
    const { clock, asked, admit, bed } = newBed();
    expect(await Promise.all([admit("Bearer good"), admit("bearer good"), admit("Bearer good")])).toEqual([
      "good",
      "good",
      "good",
    ]);
    expect(asked).toEqual(["good", "good post"]);
    expect(await admit("Bearer good", "/other")).toBe(403);
    expect(await admit("Bearer bad")).toBe(401);
    expect(await admit("Bearer bad")).toBe(401);
    expect(asked).toEqual(["good", "good post", "good post", "bad"]);
    clock.advance(2_500);
    expect(await admit("Bearer bad")).toBe(401);
    expect(asked.at(-1)).toBe("bad");
    expect(asked).toHaveLength(5);
    bed.mayAsk = false;
    expect(await admit("Bearer good")).toBe("good");
    clock.advance(8_000);
    expect(await admit("Bearer good")).toBe(403);
  });

  it.each([undefined, "", "Bearer", "Bearer a b", "Basic Zm9vOmJhcg==", `Bearer ${"x".repeat(20_000)}`])(
    "%s is nobody",
    async (authorization) => {
      const { admit, asked } = newBed();
      expect(await admit(authorization)).toBe(401);
      expect(asked).toEqual([]);
    },
  );

  it("needs a token for the audience that is set, which the API server must confirm", async () => {
    const { admit, bed, clock } = newBed("shieldx");
    expect(await admit("Bearer good")).toBe("good");
    clock.advance(20_000);
    bed.audiences = [];
    expect(await admit("Bearer good")).toBe(401);
  });

  it("is unknown while the API server cannot be asked, which is not remembered", async () => {
    const { admit, bed } = newBed();
    bed.isDown = true;
    expect(await admit("Bearer good")).toBe(503);
    bed.isDown = false;
    expect(await admit("Bearer good")).toBe("good");
  });

  it("lets an address that makes up tokens not use up what others need", async () => {
    const { admit, asked } = newBed();
    const results = [];
    for (let at = 0; at < 100; at++) results.push(await admit(`Bearer bad-${at}`, "/ask", "10.6.6.6"));
    expect(results.filter((status) => status === 429)).toHaveLength(60);
    expect(asked).toHaveLength(40);
    expect(await admit("Bearer good", "/ask", "10.0.0.1")).toBe("good");
  });
});

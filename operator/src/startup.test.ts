import {
  ApiError,
  type Client,
  type Logger,
  realClock,
  silentLogger,
  TransportError,
} from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { operatorRbac } from "./rbac.ts";
import { awaitFitCluster } from "./startup.ts";

type Answers = Partial<Record<"version" | "rules" | "list", (call: number) => unknown>>;

function failure(code: number, reason: string): ApiError {
  return new ApiError({ verb: "list", resource: "shieldpolicies.shieldx.io" }, code, { code, reason });
}

/** The four calls that start-up makes, each answered by number of call; the last answer repeats. */
function clientOf(answers: Answers): Client {
  const counts = { version: 0, rules: 0, list: 0 };
  const answer = (what: keyof Answers, fallback: unknown) => {
    const value = answers[what]?.(counts[what]++) ?? fallback;
    return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
  };
  const granted = [...operatorRbac.cluster, ...operatorRbac.namespace];
  return {
    server: "https://server:6443",
    serverVersion: () => answer("version", { major: 1, minor: 37, gitVersion: "v1.37.2" }),
    request: async () => ({
      body: JSON.stringify(await answer("rules", { status: { resourceRules: granted } })),
    }),
    list: () => answer("list", { items: [] }),
  } as unknown as Client;
}

function run(answers: Answers, signal = new AbortController().signal) {
  const said: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_fields, message) => said.push(message) };
  // Waiting costs no time here: every delay is over at once.
  const clock = { ...realClock, setTimeout: (fire: () => void) => realClock.setTimeout(fire, 0) };
  const done = awaitFitCluster({
    client: clientOf(answers),
    clock,
    logger,
    namespace: "ns",
    needs: operatorRbac,
    signal,
  });
  return { done, said };
}

describe("awaitFitCluster", () => {
  it("gives the server's minor version when all is well", async () => {
    const { done, said } = run({});
    expect(await done).toBe(37);
    expect(said).toEqual([]);
  });

  it("refuses an old server with one line that says what to do", async () => {
    const { done } = run({ version: () => ({ major: 1, minor: 33, gitVersion: "v1.33.4" }) });
    await expect(done).rejects.toMatchObject({
      code: "OldServer",
      message: expect.stringMatching(/v1\.33\.4.*1\.34.*upgrade/),
    });
  });

  it("refuses an identity the server does not know, and a server it cannot trust", async () => {
    await expect(run({ version: () => failure(401, "Unauthorized") }).done).rejects.toMatchObject({
      code: "Unauthorized",
    });
    const untrusted = new TransportError(
      "TlsFailed",
      { verb: "GET", resource: "/version" },
      "self-signed certificate",
    );
    await expect(run({ version: () => untrusted }).done).rejects.toMatchObject({ code: "Untrusted" });
  });

  it("waits for rights and kinds to be installed, and says each reason once", async () => {
    const { done, said } = run({
      rules: (call) => (call < 3 ? { status: { resourceRules: [] } } : undefined),
      list: (call) => (call < 2 ? failure(404, "NotFound") : undefined),
    });
    expect(await done).toBe(37);
    expect(said).toHaveLength(2);
    expect(said[0]).toMatch(/missing rights: .*shieldpolicies\.shieldx\.io/);
    expect(said[1]).toMatch(/ShieldPolicy .* is not installed/);
  });

  it("waits for a server that is starting, until it is told to stop", async () => {
    const stop = new AbortController();
    const refused = new TransportError(
      "ConnectionFailed",
      { verb: "GET", resource: "/version" },
      "connection refused",
    );
    const { done } = run(
      {
        version: (call) => {
          if (call === 3) stop.abort(new Error("stopped"));
          return refused;
        },
      },
      stop.signal,
    );
    await expect(done).rejects.toThrow("stopped");
  });

  it("does not take an incomplete list of rules for missing rights", async () => {
    // The list, then an answer about each right.
    const { done, said } = run({
      rules: (call) => ({ status: call === 0 ? { resourceRules: [], incomplete: true } : { allowed: true } }),
    });
    expect(await done).toBe(37);
    expect(said).toEqual([]);
  });
});

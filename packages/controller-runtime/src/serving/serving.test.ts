import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { Agent, request } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../clock/manual-clock.ts";
import { silentLogger } from "../kubernetes/logger.ts";
import { ApiError } from "../transport/api-error.ts";
import type { Client } from "../transport/client.ts";
import { parseBindAddress } from "./bind-address.ts";
import { selfSigned } from "./certificate.ts";
import { HealthChecks } from "./health.ts";
import { createHealthServer } from "./health-server.ts";
import { createMetricsServer, type ServedPath } from "./metrics-server.ts";
import { ScrapeAccess } from "./scrape-access.ts";
import { selfSignedCertificate } from "./self-signed.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

describe("parseBindAddress", () => {
  it("reads what Go's flags accept", () => {
    expect(parseBindAddress("127.0.0.1:8443")).toEqual({ host: "127.0.0.1", port: 8443 });
    expect(parseBindAddress("[::1]:0")).toEqual({ host: "::1", port: 0 });
    expect(parseBindAddress(":8081")).toEqual({ host: undefined, port: 8081 });
    for (const bad of ["8081", "a:b", "host:70000", "::1:80"])
      expect(() => parseBindAddress(bad)).toThrow(RangeError);
  });
});

describe("selfSignedCertificate", () => {
  it("is a certificate that OpenSSL reads, verifies and matches by name and address", () => {
    const now = Date.UTC(2026, 5, 1);
    const { cert, key } = selfSignedCertificate({
      hosts: ["localhost", "10.1.2.3", "fe80::1:2"],
      notBeforeMs: now,
      notAfterMs: now + 1000 * 24 * 3_600_000,
    });
    const parsed = new X509Certificate(cert);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.checkHost("localhost")).toBe("localhost");
    expect(parsed.checkIP("10.1.2.3")).toBe("10.1.2.3");
    expect(parsed.checkIP("fe80::1:2")).toBe("fe80::1:2");
    expect(parsed.checkHost("example.com")).toBeUndefined();
    expect(parsed.validFromDate.getTime()).toBe(now);
    expect(parsed.ca).toBe(false);
    expect(key).toContain("PRIVATE KEY");
  });

  it("writes dates from 2050 on in the other format", () => {
    const { cert } = selfSignedCertificate({
      hosts: ["a"],
      notBeforeMs: 0,
      notAfterMs: Date.UTC(2060, 0, 1),
    });
    expect(new X509Certificate(cert).validToDate.getUTCFullYear()).toBe(2060);
  });
});

describe("the health server", () => {
  async function setUp() {
    const checks = new HealthChecks(silentLogger);
    const server = createHealthServer(checks, silentLogger).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanUps.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const get = async (path: string) => {
      const response = await request(url + path);
      return { status: response.statusCode, body: await response.body.text() };
    };
    return { checks, get };
  }

  it("is alive at once, ready between the filled caches and the shutdown, and says nothing else", async () => {
    const { checks, get } = await setUp();
    expect(await get("/healthz")).toEqual({ status: 200, body: "" });
    expect(await get("/readyz")).toEqual({ status: 503, body: "" });
    checks.becomeReady();
    expect(await get("/readyz")).toEqual({ status: 200, body: "" });
    checks.stopBeingReady();
    expect(await get("/readyz")).toEqual({ status: 503, body: "" });
    expect((await get("/other")).status).toBe(404);
  });

  it("names failing checks when asked verbosely, and only names", async () => {
    const { checks, get } = await setUp();
    checks.becomeReady();
    checks.addReady("database", async () => {
      throw new Error("password is hunter2");
    });
    const answer = await get("/readyz?verbose");
    expect(answer).toEqual({ status: 503, body: "[+]manager\n[-]database\n" });
  });
});

describe("the metrics server", () => {
  type Reviews = { authenticated: boolean; allowed: boolean; fail?: Error; asked: number };

  async function setUp(reviews: Reviews) {
    const clock = new ManualClock();
    const client = {
      async create(type: { kind: string }) {
        reviews.asked++;
        if (reviews.fail !== undefined) throw reviews.fail;
        return type.kind === "TokenReview"
          ? { status: { authenticated: reviews.authenticated, user: { username: "prometheus", groups: [] } } }
          : { status: { allowed: reviews.allowed } };
      },
    } as unknown as Client;
    const registry = new Registry();
    registry.setDefaultLabels({ from: "test" });
    const certificate = await selfSigned(clock, ["localhost"])();
    const access = new ScrapeAccess({ client, clock });
    const extra = new Map<string, ServedPath>([
      [
        "/open",
        { access: undefined, answer: () => ({ status: 200, headers: { "x-from": "open" }, body: "open" }) },
      ],
      [
        "/closed",
        {
          access: new ScrapeAccess({ client, clock, path: "/closed" }),
          answer: ({ headers }) => ({
            status: headers["if-none-match"] === undefined ? 200 : 304,
            headers: {},
          }),
        },
      ],
    ]);
    const server = createMetricsServer({ registry, access, certificate, logger: silentLogger, extra }).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const agent = new Agent({ connect: { ca: certificate.cert, servername: "localhost" } });
    cleanUps.push(
      () => server.close(),
      () => void agent.close(),
    );
    const get = async (token?: string, path = "/metrics") => {
      const response = await request(`https://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
        dispatcher: agent,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
      await response.body.dump();
      return response.statusCode;
    };
    return { clock, get };
  }

  it("asks who it is and whether it may, and remembers a yes for 10 s", async () => {
    const reviews = { authenticated: true, allowed: true, asked: 0 };
    const { clock, get } = await setUp(reviews);
    expect(await get("good")).toBe(200);
    expect(await get("good")).toBe(200);
    expect(reviews.asked).toBe(2);
    clock.advance(10_001);
    reviews.allowed = false;
    expect(await get("good")).toBe(403);
    expect(await get("good", "/other")).toBe(404);
  });

  it("refuses without a token, with a wrong one, without the right, and when it cannot ask", async () => {
    const reviews: Reviews = { authenticated: false, allowed: true, asked: 0 };
    const { get } = await setUp(reviews);
    expect(await get()).toBe(401);
    expect(reviews.asked).toBe(0);
    expect(await get("bad")).toBe(401);
    reviews.authenticated = true;
    reviews.allowed = false;
    expect(await get("good")).toBe(403);
    reviews.fail = new ApiError({ verb: "create", resource: "tokenreviews" }, 500, {});
    expect(await get("good")).toBe(503);
  });

  it("serves further paths, each with questions of its own to the API server", async () => {
    const reviews: Reviews = { authenticated: true, allowed: false, asked: 0 };
    const { get } = await setUp(reviews);
    expect(await get(undefined, "/open")).toBe(200);
    expect(await get("good", "/open?query=ignored")).toBe(200);
    expect(reviews.asked).toBe(0);
    expect([await get(undefined, "/closed"), await get("good", "/closed")]).toEqual([401, 403]);
    for (let caller = 0; caller < 40; caller++) await get(`token-${caller}`, "/closed");
    reviews.allowed = true;
    expect(await get("good", "/closed")).toBe(429);
    expect(await get("good")).toBe(200);
  });

  it("does not let unknown callers make it flood the API server", async () => {
    const reviews = { authenticated: false, allowed: false, asked: 0 };
    const { get } = await setUp(reviews);
    const answers = new Set<number>();
    for (let caller = 0; caller < 60; caller++) answers.add(await get(`token-${caller}`));
    expect(answers).toEqual(new Set([401, 429]));
    expect(reviews.asked).toBe(20);
  });
});

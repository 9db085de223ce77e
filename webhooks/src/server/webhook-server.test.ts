import { once } from "node:events";
import { Agent } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import type { AdmissionRequest } from "./admission-review.ts";
import {
  metric,
  newAuthority,
  newLeaf,
  review,
  send,
  startTestServer,
  type TestServer,
  type TestServerOptions,
  untilClosed,
} from "./server.test-kit.ts";
import type { Unread } from "./webhook-server.ts";

let servers: TestServer[] = [];
async function start(options: TestServerOptions = {}): Promise<TestServer> {
  const server = await startTestServer(options);
  servers.push(server);
  return server;
}
afterEach(async () => {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  servers = [];
});

const messageOf = (body: string): string => JSON.parse(body).message;

describe("answering", () => {
  it("carries uid, verdict, warnings and audit annotations", async () => {
    const bed = await start({
      handler: (request, { deadlineMs, leaf }) => ({
        allowed: false,
        status: { code: 403, reason: "Forbidden", message: `no ${request.name}` },
        warnings: ["careful"],
        auditAnnotations: { leaf, inTime: String(deadlineMs > 4_000 && deadlineMs < 5_000) },
      }),
    });
    const { status, headers, body } = await bed.post(review());
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("application/json");
    expect(JSON.parse(body)).toEqual({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: {
        uid: "6f9d",
        allowed: false,
        status: { status: "Failure", code: 403, reason: "Forbidden", message: "no web" },
        warnings: ["careful"],
        auditAnnotations: { leaf: bed.server.leaf, inTime: "true" },
      },
    });
    expect(await metric(bed.registry, "controller_runtime_webhook_requests_total")).toEqual({
      "/admit 200": 1,
    });
    expect(await metric(bed.registry, "controller_runtime_webhook_requests_in_flight")).toEqual({
      "/admit": 0,
    });
  });

  it("takes the largest objects API servers send: twice 3 MiB, each byte written as six", async () => {
    const bed = await start({
      handler: ({ object, oldObject }) => ({ allowed: object !== undefined && oldObject !== undefined }),
    });
    const big = { kind: "ConfigMap", data: { blob: "<".repeat(3 * 1024 * 1024) } };
    const text = JSON.stringify(review({ operation: "UPDATE", oldObject: big }, big));
    const { status, body } = await bed.post(text.replaceAll("<", "\\u003c"));
    expect(status).toBe(200);
    expect(JSON.parse(body).response.allowed).toBe(true);
    expect(bed.budget.heldBytes).toBe(0);
  });

  it("fails the request, not the process, when a handler throws", async () => {
    const bed = await start({
      handler: () => {
        throw new Error("secret detail");
      },
    });
    const { status, body } = await bed.post(review());
    expect(status).toBe(500);
    expect(body).not.toContain("secret detail");
    expect(await metric(bed.registry, "controller_runtime_webhook_panics_total")).toMatchObject({
      "/admit": 1,
    });
    expect((await bed.post(review())).status).toBe(500);
  });
});

describe("bad input", () => {
  it.each([
    ["an unknown path", { path: "/nowhere" }, 404, /no webhook is served at \/nowhere/],
    ["a path that is no URL", { path: "//" }, 404, /no webhook/],
    ["another method", { method: "PUT" }, 405, /method PUT is not allowed/],
    [
      "another content type",
      { headers: { "content-type": "text/plain" } },
      415,
      /content type "text\/plain" is not supported/,
    ],
    ["a compressed body", { headers: { "content-encoding": "gzip" } }, 415, /encoding "gzip"/],
  ])("answers %s with a clear status", async (_, options, status, message) => {
    const bed = await start();
    const answer = await bed.post(review(), options);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ kind: "Status", status: "Failure", code: status });
    expect(messageOf(answer.body)).toMatch(message);
  });

  it.each([
    ["nothing", "", 400, /no body/],
    ["text", "hello", 400, /not JSON/],
    ["bytes that are no text", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 400, /not JSON/],
    ["a list", "[]", 400, /must be an object, is a list/],
    ["another kind", { kind: "Pod", apiVersion: "v1" }, 400, /expected kind AdmissionReview/],
    [
      "v1beta1",
      { ...review(), apiVersion: "admission.k8s.io/v1beta1" },
      422,
      /"admission.k8s.io\/v1beta1" is not supported/,
    ],
    ["no request", { ...review(), request: undefined }, 400, /request must be an object, is missing/],
    ["no uid", review({ uid: undefined }), 400, /request.uid must be a non-empty string, is missing/],
    ["a uid of another type", review({ uid: 7 }), 400, /request.uid must be a non-empty string, is 7/],
    ["a list for an object", review({ object: [] }), 400, /request.object must be an object, is a list/],
    [
      "groups of another type",
      review({ userInfo: { groups: [1] } }),
      400,
      /userInfo.groups must be a list of strings/,
    ],
    ["no kind", review({ kind: { group: "" } }), 400, /request.kind.version must be/],
    [
      "100,000 levels",
      `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`,
      413,
      /nested 100000 levels deep, at most 10100 are judged/,
    ],
    ["100,000 brackets", "[".repeat(100_000), 413, /nested 100000 levels/],
    ["millions of values", `[${"[],".repeat(2_500_000)}1]`, 413, /is 5\d{6} values, at most 4000000/],
  ])("refuses %s with a message that says what is wrong", async (_, body, status, message) => {
    const bed = await start();
    const answer = await bed.post(body);
    expect(answer.status).toBe(status);
    expect(messageOf(answer.body)).toMatch(message);
    expect((await bed.post(review())).status).toBe(200);
  });

  it("answers 50 MB with 413 whether or not the length is announced, and holds none of it", async () => {
    const bed = await start();
    const large = JSON.stringify(review({}, { blob: "x".repeat(50_000_000) }));
    const announced = await bed.post(large);
    expect(announced.status).toBe(413);
    expect(messageOf(announced.body)).toMatch(
      /^the request is 500\d+ bytes or more, at most 41943040 are judged/,
    );

    const socket = await bed.socket();
    const answer = untilClosed(socket);
    socket.write(
      "POST /admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = "x".repeat(1_000_000);
    for (let i = 0; i < 50; i++) socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    socket.end("0\r\n\r\n");
    expect(await answer).toMatch(/^HTTP\/1.1 413 /);
    expect(bed.budget.heldBytes).toBe(0);
  });
});

describe("room", () => {
  const half = "x".repeat(500_000);
  const begin = async (bed: TestServer, announced: number, sent: number): Promise<TLSSocket> => {
    const socket = await bed.socket();
    socket.write(
      `POST /admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${announced}\r\n\r\n`,
    );
    socket.write("x".repeat(sent));
    return socket;
  };

  it("is waited for while too many bytes are held, for half of the time", async () => {
    const bed = await start({ bodies: { heldBytes: 1_000_000, largeFromBytes: 5_000_000 } });
    const socket = await begin(bed, 2_000_000, 900_000);
    await waitUntil(() => bed.budget.heldBytes >= 900_000);
    // Of a last second nobody knows how much is left.
    const refused = await bed.post(review({}, { half }), { path: "/admit?timeout=1s" });
    expect([refused.status, messageOf(refused.body)]).toEqual([503, "too many requests at once; try again"]);
    expect(refused.headers["retry-after"]).toBe("1");
    const waited = performance.now();
    expect((await bed.post(review({}, { half }), { path: "/admit?timeout=2s" })).status).toBe(503);
    expect(performance.now() - waited).toBeGreaterThan(750);
    const waiting = bed.post(review({}, { half }));
    await waitUntil(() => bed.budget.heldBytes > 900_000);
    socket.destroy();
    expect((await waiting).status).toBe(200);
    await waitUntil(() => bed.budget.heldBytes === 0);
  });

  it("is for one large request at a time; small ones pass it by", async () => {
    let most = 0;
    let now = 0;
    const bed = await start({
      handler: async ({ object }, { isLarge }) => {
        expect(isLarge).toBe((object as { half?: string }).half !== undefined);
        if (isLarge !== true) return { allowed: true };
        now += 1;
        most = Math.max(most, now);
        await bed.post(review());
        now -= 1;
        return { allowed: true };
      },
    });
    const large = review({}, { half, more: "x".repeat(1_000_000) });
    const answers = await Promise.all(Array.from({ length: 10 }, () => bed.post(large)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(most).toBe(1);
    expect(bed.budget.heldBytes).toBe(0);
  });

  it("is given up by a large request that comes slowly, for others wait", async () => {
    const bed = await start({ bodies: { graceMs: 200 } });
    const slow = await begin(bed, 2_000_000, 100_000);
    const answer = untilClosed(slow);
    await waitUntil(() => bed.budget.large.held > 0);
    const large = review({}, { half, more: "x".repeat(1_000_000) });
    expect((await bed.post(large)).status).toBe(200);
    slow.end();
    expect(await answer).toMatch(/^HTTP\/1.1 408 [\s\S]*more slowly than 1048576 bytes/);
  });

  it("is not taken by one who went while it waited", async () => {
    const bed = await start();
    const holder = await begin(bed, 2_000_000, 100_000);
    await waitUntil(() => bed.budget.large.held > 0);
    const gone = await begin(bed, 2_000_000, 100_000);
    await waitUntil(() => bed.budget.small.held > 0);
    gone.destroy();
    holder.destroy();
    await waitUntil(() => bed.budget.heldBytes === 0);
    expect((await bed.post(review({}, { half, more: "x".repeat(1_000_000) }))).status).toBe(200);
  });
});

describe("what is not read, where that must not pass", () => {
  const told: unknown[] = [];
  const unread = new Map([
    [
      "/admit",
      async (head: AdmissionRequest | undefined, why: Unread) => {
        told.push([head?.name, head?.userInfo.username, head?.object, why.code]);
        return { allowed: false, status: { code: 413, reason: "X", message: why.message } };
      },
    ],
  ]);
  const responseOf = (body: string) => JSON.parse(body).response;
  afterEach(() => {
    told.length = 0;
  });

  it("is answered with a verdict about what its beginning says, if it is too large", async () => {
    const bed = await start({ more: { unread }, bodies: { largestBytes: 300_000 } });
    const answer = await bed.post(review({ dryRun: true }, { blob: "x".repeat(50_000_000) }));
    expect(answer.status).toBe(200);
    expect(responseOf(answer.body)).toMatchObject({
      uid: "6f9d",
      allowed: false,
      status: { message: expect.stringMatching(/the request is 500\d+ bytes or more, at most 300000/) },
    });
    expect(told).toEqual([["web", "alice", undefined, "TooLarge"]]);
  });

  it("or too deep", async () => {
    const bed = await start({ more: { unread } });
    const deep = JSON.stringify(review()).replace(
      '{"kind":"Pod"}',
      `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`,
    );
    expect(responseOf((await bed.post(deep)).body)).toMatchObject({ uid: "6f9d", allowed: false });
    expect(told).toEqual([["web", "alice", undefined, "TooLarge"]]);
  });

  it("or too deep for whole numbers of 64 bits to be read, if it is not judged", async () => {
    const bed = await start({ more: { unread } });
    const levels = 9_900;
    const deep = JSON.stringify(review({}, { x: "DEEP" })).replace(
      '"DEEP"',
      `${'{"a":'.repeat(levels)}9007199254740993${"}".repeat(levels)}`,
    );
    expect((await bed.post(deep)).status).toBe(200);
  });

  it("or there was no room in time", async () => {
    const bed = await start({ more: { unread } });
    const holder = await bed.socket();
    holder.write(
      "POST /admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n",
    );
    holder.write("x".repeat(100_000));
    await waitUntil(() => bed.budget.large.held > 0);
    const large = review({}, { more: "x".repeat(2_000_000) });
    const answer = await bed.post(large, { path: "/admit?timeout=1s" });
    expect(responseOf(answer.body)).toMatchObject({ uid: "6f9d", allowed: false });
    expect(told).toEqual([["web", "alice", undefined, "NoRoom"]]);
    holder.destroy();
  });

  it("also where what it is about is out of reach, as long as it says how to be answered", async () => {
    const bed = await start({ more: { unread }, bodies: { largestBytes: 300_000 } });
    const groups = Array.from({ length: 10_000 }, (_, at) => `group-${at}`);
    const answer = await bed.post(review({ userInfo: { groups } }, { blob: "x".repeat(1_000_000) }));
    expect(responseOf(answer.body)).toMatchObject({ uid: "6f9d", allowed: false });
    expect(told).toEqual([[undefined, undefined, undefined, "TooLarge"]]);
    // An API server writes its kind first.
    const { request } = review({}, { blob: "x".repeat(1_000_000) });
    expect((await bed.post({ request, kind: "AdmissionReview" })).status).toBe(413);
  });
});

describe("slow and broken clients", () => {
  it("cuts off headers that never end", async () => {
    const bed = await start({ limits: { headersMs: 300 } });
    const socket = await bed.socket();
    socket.write("POST /admit HTTP/1.1\r\nHost: a\r\n");
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1.1 408 /);
  });

  it("cuts off a connection that never sends anything", async () => {
    const bed = await start({ limits: { headersMs: 300, unusedMs: 600 } });
    expect(await untilClosed(await bed.socket())).toBe("");
    await waitUntil(() => bed.server.connections === 0);
  });

  it("says nothing on a spare connection, which an API server may be about to use, and answers on it", async () => {
    const bed = await start({ limits: { headersMs: 100 } });
    const socket = await bed.socket();
    let unasked = "";
    socket.on("data", (chunk: Buffer) => {
      unasked += chunk.toString();
    });
    // When a later one has been cut off, the time of this one is up, too.
    const late = await bed.socket();
    late.write("POST /admit HTTP/1.1\r\nHost: a\r\n");
    expect(await untilClosed(late)).toMatch(/^HTTP\/1.1 408 /);
    expect([unasked, socket.destroyed]).toEqual(["", false]);
    const body = JSON.stringify(review());
    const answer = once(socket, "data");
    socket.write(
      `POST /admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    expect(String((await answer)[0])).toMatch(/^HTTP\/1.1 200 /);
  });

  it("cuts off a body that trickles", async () => {
    const bed = await start({ bodies: { graceMs: 200, slowestBytesPerSecond: 10_000 } });
    const socket = await bed.socket();
    const answer = untilClosed(socket);
    socket.write(
      "POST /admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
    );
    let isAnswered = false;
    socket.once("data", () => {
      isAnswered = true;
    });
    const trickle = setInterval(() => socket.write("x"), 20);
    await waitUntil(() => isAnswered);
    clearInterval(trickle);
    socket.end();
    expect(await answer).toMatch(/^HTTP\/1.1 408 [\s\S]*more slowly than 10000 bytes/);
    expect(bed.budget.heldBytes).toBe(0);
  });

  it("survives two hundred slow connections and answers others meanwhile", async () => {
    const bed = await start({ limits: { headersMs: 2_000 } });
    const slow = await Promise.all(Array.from({ length: 200 }, () => bed.socket()));
    for (const socket of slow) socket.write("POST /admit HTTP/1.1\r\nX: ");
    const answers = await Promise.all(Array.from({ length: 20 }, () => bed.post(review())));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    await Promise.all(slow.map(untilClosed));
  }, 20_000);

  it("gives up a request whose sender goes away half-way", async () => {
    const bed = await start();
    const socket = await bed.socket();
    socket.write(
      "POST /admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    );
    await waitUntil(() => bed.budget.heldBytes > 0);
    socket.destroy();
    await waitUntil(() => bed.budget.heldBytes === 0);
  });

  it("answers a client that closed its sending half", async () => {
    const bed = await start();
    const socket = await bed.socket();
    const body = JSON.stringify(review());
    socket.end(
      `POST /admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1.1 200 /);
  });

  it("answers what is no HTTP with 400 and endless headers with 431", async () => {
    const bed = await start();
    const garbage = await bed.socket();
    garbage.write("\x16\x03\x01 what\r\n\r\n");
    expect(await untilClosed(garbage)).toMatch(/^HTTP\/1.1 400 /);
    const endless = await bed.socket();
    endless.write(`POST /admit HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(await untilClosed(endless)).toMatch(/^HTTP\/1.1 431 /);
  });

  it("refuses more connections than one address may have", async () => {
    const bed = await start({ limits: { connectionsPerAddress: 3 } });
    const kept = await Promise.all([bed.socket(), bed.socket(), bed.socket()]);
    await expect(bed.post(review())).rejects.toThrow();
    kept[0]!.destroy();
    await waitUntil(() => bed.server.connections === 2);
    expect((await bed.post(review())).status).toBe(200);
    expect(await metric(bed.registry, "shieldx_webhook_refused_connections_total")).toMatchObject({
      "https too-many-per-address": 1,
    });
  });
});

describe("too many connections", () => {
  const used = async (bed: TestServer, agent: Agent) =>
    expect((await bed.post(review(), { agent })).status).toBe(200);
  const twoSecondsOn = (): (() => void) => {
    const real = performance.now.bind(performance);
    performance.now = () => real() + 2_001;
    return () => {
      performance.now = real;
    };
  };

  it.each([
    ["of one address", { connectionsPerAddress: 3 }],
    ["in all", { connections: 3 }],
  ])("%s: the one idle for longest makes room, none that is in use", async (_, limits) => {
    let finish: (() => void) | undefined;
    const bed = await start({
      limits,
      handler: ({ name }) =>
        name === "slow"
          ? new Promise((done) => {
              finish = () => done({ allowed: true });
            })
          : { allowed: true },
    });
    const slow = bed.post(review({ name: "slow" }));
    await waitUntil(() => finish !== undefined);
    const [oldest, newer] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })];
    await used(bed, oldest);
    await used(bed, newer);
    await expect(bed.post(review())).rejects.toThrow();
    const back = twoSecondsOn();
    expect((await bed.post(review())).status).toBe(200);
    back();
    await waitUntil(() => Object.keys(oldest.freeSockets).length === 0);
    expect(Object.keys(newer.freeSockets)).toHaveLength(1);
    finish?.();
    expect((await slow).status).toBe(200);
    oldest.destroy();
    newer.destroy();
  });
});

describe("TLS", () => {
  it("speaks TLS 1.3 only", async () => {
    const bed = await start();
    const old = connect({
      port: bed.port,
      host: "127.0.0.1",
      ca: bed.ca.certificatePem,
      maxVersion: "TLSv1.2",
    });
    const [error] = await once(old, "error");
    expect(error.code).toMatch(/ALERT_PROTOCOL_VERSION/);
  });

  it("asks for a client certificate when given a client CA", async () => {
    const clients = await newAuthority();
    const bed = await start({ more: { clientCa: clients.certificatePem } });
    await expect(bed.post(review())).rejects.toThrow();
    const stranger = await newLeaf(await newAuthority(), ["client"]);
    await expect(bed.post(review(), { identity: stranger })).rejects.toThrow();
    const known = await newLeaf(clients, ["client"]);
    expect((await bed.post(review(), { identity: known })).status).toBe(200);
    bed.server.setLeaf(await newLeaf(bed.ca));
    await expect(bed.post(review())).rejects.toThrow();
    expect((await bed.post(review(), { identity: known })).status).toBe(200);
  });

  it("counts handshakes by address and leaf, and bounds what it keeps", async () => {
    const bed = await start();
    const first = bed.server.leaf;
    await bed.post(review());
    await bed.post(review());
    for (let i = 0; i < 6; i++) {
      bed.server.setLeaf(await newLeaf(bed.ca));
      await bed.post(review());
    }
    expect(bed.server.handshakes.list()).toContainEqual({
      remoteAddress: "127.0.0.1",
      leaf: first,
      count: 2,
    });
    expect(bed.server.handshakes.list().at(-1)).toEqual({
      remoteAddress: "127.0.0.1",
      leaf: bed.server.leaf,
      count: 1,
    });
    const series = await metric(bed.registry, "shieldx_webhook_handshakes_total");
    expect(Object.keys(series)).toHaveLength(4);
    expect(series[`https 127.0.0.1 ${bed.server.leaf.slice(0, 16)}`]).toBe(1);
  });

  it("ends old connections with an answer after a change of leaf, and never an idle one", async () => {
    const bed = await start({
      limits: { retireSpreadMs: 0 },
      handler: (_, { leaf }) => ({ allowed: true, warnings: [leaf] }),
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = bed.server.leaf;
    expect((await bed.post(review(), { agent })).headers.connection).toBe("keep-alive");
    bed.server.setLeaf(await newLeaf(bed.ca));
    expect(bed.server.connections).toBe(1);
    const last = await bed.post(review(), { agent });
    expect(last.headers.connection).toBe("close");
    expect(last.body).toContain(before);
    const next = await bed.post(review(), { agent });
    expect(next.headers.connection).toBe("keep-alive");
    expect(next.body).toContain(bed.server.leaf);
    agent.destroy();
  });

  it("changes its leaf 200 times under load without one failed request", async () => {
    const bed = await start({ limits: { retireSpreadMs: 50 } });
    const other = await newAuthority();
    const trust = bed.ca.certificatePem + other.certificatePem;
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    let isOver = false;
    let answered = 0;
    const failures: unknown[] = [];
    const client = async (fresh: boolean): Promise<void> => {
      while (!isOver) {
        try {
          const { status } = await send(bed.port, trust, review(), fresh ? {} : { agent });
          if (status === 200) answered++;
          else failures.push(status);
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const clients = [...Array.from({ length: 8 }, () => client(false)), client(true), client(true)];
    for (let i = 0; i < 200; i++) {
      const before = answered;
      bed.server.setLeaf(await newLeaf(i % 2 === 0 ? other : bed.ca));
      await waitUntil(() => answered > before + 3 || failures.length > 0);
    }
    isOver = true;
    await Promise.all(clients);
    agent.destroy();
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(800);
    expect(bed.server.handshakes.list().length).toBeGreaterThan(190);
  }, 120_000);
});

describe("draining", () => {
  it("goes on serving, ends each connection with its answer, then finishes what is under way", async () => {
    let finish: (() => void) | undefined;
    const bed = await start({
      handler: ({ name }) =>
        name === "slow"
          ? new Promise((done) => {
              finish = () => done({ allowed: true });
            })
          : { allowed: true },
    });
    bed.server.beginDraining();
    const during = await bed.post(review());
    expect(during.status).toBe(200);
    expect(during.headers.connection).toBe("close");
    const slow = bed.post(review({ name: "slow" }));
    await waitUntil(() => finish !== undefined);
    const closed = bed.server.close(10_000);
    await expect(bed.post(review())).rejects.toThrow();
    finish!();
    expect((await slow).status).toBe(200);
    await closed;
  });

  it("cuts what does not end within the grace", async () => {
    const bed = await start({ handler: () => new Promise(() => undefined) });
    const stuck = bed.post(review()).catch((error: NodeJS.ErrnoException) => error.code);
    await waitUntil(() => bed.server.connections === 1);
    await bed.server.close(50);
    expect(await stuck).toBe("ECONNRESET");
  });
});

async function waitUntil(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("waited 30 s in vain");
    await new Promise((done) => setTimeout(done, 2));
  }
}

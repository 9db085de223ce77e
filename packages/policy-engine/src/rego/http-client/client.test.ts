import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { HttpCall, HttpResponse } from "../calls/call.ts";
import { parseAllowedHost } from "../calls/hosts.ts";
import { refusedAddress } from "./addresses.ts";
import { type CallResult, HttpClient } from "./client.ts";
import { CallFailedError } from "./errors.ts";

const call = (more: Partial<HttpCall> = {}): HttpCall => ({
  kind: "http",
  key: "k",
  method: "GET",
  url: new URL("https://ok.example/secret?token=x"),
  headers: [],
  body: undefined,
  timeoutMs: 1_000,
  followsRedirects: false,
  tls: { ca: undefined, withSystemCa: false, certificate: undefined, key: undefined, serverName: undefined },
  keep: undefined,
  hosts: [parseAllowedHost("ok.example")],
  ...more,
});
const response = (cacheControl = "", statusCode = 200, body = "a"): HttpResponse => ({
  status: `${statusCode} X`,
  statusCode,
  headers: new Map([["cache-control", [cacheControl]]]),
  body: Buffer.from(body),
});

function clientOf(send: (call: HttpCall, signal: AbortSignal) => Promise<HttpResponse>) {
  const time = { now: 0 };
  const results: CallResult[] = [];
  const client = new HttpClient({
    monotonicNow: () => time.now,
    onCall: (result) => results.push(result),
    send,
  });
  return { client, results, time };
}

/** Answers when it is aborted. */
const silent = (_: HttpCall, signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });

describe("the client", () => {
  it("gives up in the policy's time, which the policy may go on from", async () => {
    const { client, results } = clientOf(silent);
    const outcome = await client.send(call({ timeoutMs: 5 }), 1_000);
    expect(outcome).toEqual({ kind: "failed", message: "ok.example did not answer within 5 ms" });
    expect(results).toEqual(["timed_out"]);
  });

  it("gives up when the request is out of time, which nobody goes on from", async () => {
    const { client } = clientOf(silent);
    expect(await client.send(call(), 5)).toMatchObject({
      kind: "refused",
      message: "ok.example did not answer within 5 ms, which is all the time the request has",
    });
  });

  it("tells failures, and limits apart", async () => {
    const { client, results } = clientOf(async ({ key }) => {
      throw new CallFailedError(key, { endsEvaluation: key === "limit" });
    });
    expect(await client.send(call({ key: "gone" }), 100)).toEqual({ kind: "failed", message: "gone" });
    expect(await client.send(call({ key: "limit" }), 100)).toMatchObject({ kind: "refused" });
    expect(results).toEqual(["failed", "refused"]);
  });

  /** What is refused of calls that no host answers, one to a host at a time. */
  const refusedOf = async (count: number, ...hosts: readonly string[]) => {
    const { client } = clientOf(silent);
    const sent = () =>
      Array.from({ length: count }, (_, at) => {
        const url = new URL(`https://${hosts[at % hosts.length]}/`);
        return client.send(call({ timeoutMs: 20, url }), 1_000);
      });
    await Promise.all(sent());
    // Those that have ended make room.
    const outcomes = await Promise.all(sent());
    return outcomes.flatMap((outcome) => (outcome.kind === "refused" ? outcome.message : []));
  };

  it("refuses more calls than may be under way", async () => {
    const refused = await refusedOf(70, "a.example", "b.example", "c.example", "d.example", "e.example");
    expect(refused).toHaveLength(6);
    expect(refused[0]).toContain("more than 64 calls are under way");
  });

  it("leaves room for others where one host does not answer", async () => {
    const refused = await refusedOf(20, "slow.example:8443");
    expect(refused).toEqual(
      Array(4).fill("more than 16 calls of slow.example:8443 are under way; try again"),
    );
  });

  it.each<[string, HttpCall["keep"], HttpResponse, number]>([
    ["as long as the policy says", { ms: 60_000 }, response("no-store"), 60_000],
    ["as long as the answer says", "as told", response("public, Max-Age=10"), 10_000],
    ["not where the answer says so", "as told", response("max-age=10, no-store"), 0],
    ["not where the answer says nothing", "as told", response(), 0],
    ["not what is no answer", { ms: 60_000 }, response("", 500), 0],
    ["not unless the policy asks", undefined, response("max-age=10"), 0],
  ])("keeps answers %s", async (_, keep, answer, ms) => {
    const { client, results, time } = clientOf(async () => answer);
    await client.send(call({ keep }), 100);
    time.now = Math.max(0, ms - 1);
    await client.send(call({ keep }), 100);
    await client.send(call({ keep, key: "another" }), 100);
    time.now = ms;
    await client.send(call({ keep }), 100);
    expect(results).toEqual(["answered", ms === 0 ? "answered" : "kept", "answered", "answered"]);
  });

  it("keeps no more than so many bytes", async () => {
    const { client, results } = clientOf(async () => response("", 200, "x".repeat(1_048_576)));
    const keep = { ms: 60_000 };
    for (let at = 0; at < 9; at++) await client.send(call({ keep, key: `${at}` }), 100);
    await client.send(call({ keep, key: "8" }), 100);
    await client.send(call({ keep, key: "0" }), 100);
    expect(results.slice(9)).toEqual(["kept", "answered"]);
  });

  it("counts headers, which are kept as well", async () => {
    const headers = new Map([["set-cookie", ["x".repeat(524_288), "y".repeat(524_288)]]]);
    const { client, results } = clientOf(async () => ({ ...response(), headers }));
    const keep = { ms: 60_000 };
    for (let at = 0; at < 9; at++) await client.send(call({ keep, key: `${at}` }), 100);
    await client.send(call({ keep, key: "8" }), 100);
    await client.send(call({ keep, key: "0" }), 100);
    expect(results.slice(9)).toEqual(["kept", "answered"]);
  });

  it("keeps no requests, which may be larger than what they are answered with", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const heldBytes = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const { client, results } = clientOf(async () => response());
    const request = (at: number) => call({ keep: { ms: 60_000 }, key: `${"k".repeat(500_000)}${at}` });
    const before = heldBytes();
    for (let at = 0; at < 99; at++) await client.send(request(at), 100);
    expect(heldBytes() - before).toBeLessThan(10_000_000);
    await client.send(request(0), 100);
    expect(results.at(-1)).toBe("kept");
  });
});

describe("addresses", () => {
  it.each([
    ...["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::127.0.0.1"],
    ...["169.254.169.254", "fe80::1", "fe80::1%eth0", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "224.0.0.1"],
    ...["::ffff:a9fe:a9fe", "100.100.100.200", "168.63.129.16", "nonsense"],
    ...["fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "192.0.0.192"],
    // Addresses of IPv4 in ways that depend on the network, or on who else is in it.
    ...["64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::", "::ffff:0:a9fe:a9fe"],
  ])("no name leads to %s", (address) => {
    expect(refusedAddress("ok.example", address)).toContain(address);
  });

  it("others are followed, a listed address is what is meant, and localhost is loopback", () => {
    for (const address of ["10.0.0.1", "192.168.1.1", "93.184.216.34", "2001:db8::1", "fd00::1"])
      expect(refusedAddress("ok.example", address)).toBeUndefined();
    expect(refusedAddress("169.254.169.254", "169.254.169.254")).toBeUndefined();
    expect(refusedAddress("localhost", "127.0.0.1")).toBeUndefined();
    expect(refusedAddress("localhost", "169.254.169.254")).toContain("link-local");
    expect(refusedAddress("db.localhost", "127.0.0.1")).toContain("loopback");
  });
});

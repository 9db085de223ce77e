import { describe, expect, it } from "vitest";
import { ConfigMap } from "../kubernetes/resources.ts";
import type { Client } from "../transport/client.ts";
import { guardClient, LeadershipLostError } from "./guard.ts";
import { formatMicroTime, parseMicroTime } from "./micro-time.ts";

function setUp() {
  const calls: string[] = [];
  const record =
    (name: string) =>
    async (...parameters: unknown[]) => {
      calls.push(name);
      return parameters.at(-1);
    };
  const names = [
    "get",
    "find",
    "list",
    "create",
    "replace",
    "delete",
    "patch",
    "apply",
    "request",
    "serverVersion",
    "close",
  ];
  const client = Object.fromEntries(names.map((name) => [name, record(name)])) as unknown as Client;
  const ended = new AbortController();
  const guard = { leads: true, mayWrite: () => guard.leads, signal: ended.signal };
  const withServer = { ...client, withServer: () => client } as Client;
  return { calls, guard, guarded: guardClient(withServer, guard) };
}

const key = { name: "a", namespace: "b" };
const map = { apiVersion: "v1", kind: "ConfigMap", metadata: key };

describe("guardClient", () => {
  const writes: Record<string, (client: Client) => Promise<unknown>> = {
    create: (client) => client.create(ConfigMap, map),
    replace: (client) => client.replace(ConfigMap, map),
    delete: (client) => client.delete(ConfigMap, key),
    patch: (client) => client.patch(ConfigMap, key, {}, { type: "merge" }),
    apply: (client) => client.apply(ConfigMap, map, { fieldManager: "test" }),
    "raw POST": (client) => client.request("POST", "/api"),
    "a write to another endpoint": (client) => client.withServer("https://b").create(ConfigMap, map),
  };

  for (const [name, write] of Object.entries(writes)) {
    it(`refuses ${name} once the lease may have lapsed, without beginning it`, async () => {
      const { calls, guard, guarded } = setUp();
      await write(guarded);
      expect(calls).toHaveLength(1);
      guard.leads = false;
      await expect(write(guarded)).rejects.toThrow(LeadershipLostError);
      expect(calls).toHaveLength(1);
    });
  }

  it("lets reads through, and gives writes the signal that ends them with the leadership", async () => {
    const { calls, guard, guarded } = setUp();
    const options = (await guarded.apply(ConfigMap, map, { fieldManager: "test" })) as unknown as {
      signal: AbortSignal;
    };
    expect(options.signal).toBe(guard.signal);
    guard.leads = false;
    await guarded.get(ConfigMap, key);
    await guarded.find(ConfigMap, key);
    await guarded.list(ConfigMap);
    await guarded.request("GET", "/version");
    expect(calls).toEqual(["apply", "get", "find", "list", "request"]);
  });

  it("gives the transport a check for the moment the write is sent", async () => {
    const { guard, guarded } = setUp();
    const options = (await guarded.create(ConfigMap, map)) as unknown as { beforeSend: () => void };
    expect(() => options.beforeSend()).not.toThrow();
    guard.leads = false;
    expect(() => options.beforeSend()).toThrow(LeadershipLostError);
  });
});

describe("MicroTime", () => {
  it("has six decimals and survives a round trip", () => {
    expect(formatMicroTime(1_767_225_600_000_001)).toBe("2026-01-01T00:00:00.000001Z");
    expect(parseMicroTime("2026-01-01T00:00:00.000001Z")).toBe(1_767_225_600_000_001);
    expect(parseMicroTime("2026-01-01T01:00:00.5+01:00")).toBe(1_767_225_600_500_000);
    expect(parseMicroTime("yesterday")).toBeUndefined();
    expect(parseMicroTime(undefined)).toBeUndefined();
  });
});

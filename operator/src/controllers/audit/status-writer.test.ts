import { ApiError, type Client } from "@shieldx/controller-runtime";
import { beforeEach, describe, expect, it } from "vitest";
import type { ShieldPolicyObject } from "../../kinds.ts";
import type { AuditStatus } from "./status.ts";
import { AuditStatusWriter } from "./status-writer.ts";

const policies = Array.from({ length: 30 }, (_, at) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name: `p${at}`, uid: `u${at}` },
})) as unknown as ShieldPolicyObject[];
const names = policies.map(({ metadata }) => metadata.name);
const counts = (violating: number): AuditStatus => ({ counts: { violating } });

let nowMs: number;
let written: string[];
let failing: unknown;
let writer: AuditStatusWriter;
const client = {
  apply: async (_type: unknown, { metadata }: { metadata: { name: string } }) => {
    if (failing !== undefined) throw failing;
    written.push(metadata.name);
  },
} as unknown as Client;
const round = (statusOf: (name: string) => AuditStatus | "wait" = () => counts(1)) =>
  writer.write(policies, statusOf, new AbortController().signal);

beforeEach(() => {
  [nowMs, written, failing] = [0, [], undefined];
  writer = new AuditStatusWriter({ client, monotonicNow: () => nowMs, writesPerSecond: 1 });
  writer.changed(names);
});

describe("statuses of the audit", () => {
  it("are written so many a second, those first that waited longest, each once", async () => {
    await round();
    const atOnce = written.length;
    expect(atOnce).toBeLessThanOrEqual(11);
    writer.changed(["p0"]);
    for (let second = 1; second <= 60; second++) {
      nowMs = second * 1000;
      await round();
      expect(written.length).toBeLessThanOrEqual(atOnce + second);
    }
    expect(written).toEqual([...names, "p0"]);
  });

  it("are worked out for a tenth of the time only", async () => {
    await round(() => {
      nowMs += 60;
      return counts(1);
    });
    expect(written).toHaveLength(2);
  });

  it("do not wait for one that is not known yet", async () => {
    await round((name) => (name === "p0" ? "wait" : counts(1)));
    expect(written.slice(0, 2)).toEqual(["p1", "p2"]);
    nowMs = 60_000;
    await round();
    expect(written).toContain("p0");
  });

  it("are tried again when the API server refuses one", async () => {
    failing = new ApiError({ verb: "apply", resource: "shieldpolicies" }, 500, {
      code: 500,
      reason: "InternalError",
    });
    await expect(round()).rejects.toBe(failing);
    failing = undefined;
    await round();
    expect(written[0]).toBe("p1");
    nowMs = 60_000;
    await round();
    nowMs = 120_000;
    await round();
    expect(written.at(-1)).toBe("p0");
  });
});

import { formatRolloutReports, type RolloutReport } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import type { ReplicaLease } from "./replicas.ts";
import { RolloutReports } from "./rollout-reports.ts";

const report = (uid: string, turn: number, requests: number): RolloutReport => ({
  uid,
  digest: "d",
  turn,
  counts: { requests, denied: 0, errors: 0, slow: 0, found: 0 },
  distinct: 0,
  objects: [],
  namespaces: [],
});
const lease = (name: string, process: string, ...rollouts: RolloutReport[]): ReplicaLease => {
  const text = formatRolloutReports({ process, rollouts });
  return { metadata: { name, annotations: text === undefined ? {} : { "shieldx.io/rollouts": text } } };
};

function setUp() {
  const reports = new RolloutReports();
  const told: string[][] = [];
  reports.onTold((uids) => told.push([...uids].sort()));
  const requests = (uid: string, turn: number) =>
    Object.fromEntries(
      reports.of(uid, "d", turn).processes.map(({ process, counts }) => [process, counts.requests]),
    );
  return { reports, told, requests };
}

describe("RolloutReports", () => {
  it("tells which policies there is news of, and who keeps which turn", () => {
    const { reports, told, requests } = setUp();
    reports.observe([
      lease("a", "1", report("p", 1, 2), report("q", 1, 0)),
      lease("b", "2", report("p", 2, 1)),
    ]);
    reports.observe([
      lease("a", "1", report("p", 1, 3), report("q", 1, 0)),
      lease("b", "2", report("p", 2, 1)),
    ]);
    reports.observe([lease("a", "1", report("p", 1, 3)), lease("b", "2", report("p", 2, 1))]);
    expect(told).toEqual([["p", "q"], ["p"], ["q"]]);
    expect([...reports.of("p", "d", 2).keptBy]).toEqual(["b"]);
    expect(requests("p", 1)).toEqual({ "1": 3 });
    expect([...reports.of("p", "other", 2).keptBy]).toEqual([]);
  });

  it("remembers what a process counted that ended, until its turn is over", () => {
    const { reports, requests } = setUp();
    reports.observe([lease("a", "1", report("p", 1, 2)), lease("b", "2", report("p", 1, 5))]);
    // One starts anew under the same Lease, the other's Lease is gone.
    reports.observe([lease("a", "3", report("p", 1, 1))]);
    expect(requests("p", 1)).toEqual({ "1": 2, "2": 5, "3": 1 });
    expect(reports.of("p", "d", 1).keptBy.size).toBe(1);
    expect(requests("p", 2)).toEqual({});
    expect(requests("p", 1)).toEqual({ "3": 1 });
  });

  it("takes nothing from what is no report", () => {
    const { reports, told } = setUp();
    reports.observe([{ metadata: { name: "a", annotations: { "shieldx.io/rollouts": '{"process":1}' } } }]);
    expect(told).toEqual([]);
    expect(reports.of("p", "d", 1).keptBy.size).toBe(0);
  });
});

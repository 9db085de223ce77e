import { describe, expect, it } from "vitest";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";
import { listGaps } from "./list.ts";
import { printGaps } from "./print.ts";

const policy = (name: string, gaps: object[]) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: { engine: "podSecurity", podSecurity: { level: "baseline" }, actions: { admission: "deny" } },
  status: { gaps },
});
const gap = (from: string, over: object = {}) => ({
  id: from,
  cause: "BreakGlass",
  message: 'ShieldBreakGlass "inc": INC-1',
  from,
  ...over,
});
const printed = (policies: Parameters<typeof listGaps>[0]): string => {
  const terminal = recordingTerminal();
  printGaps(listGaps(policies), terminal);
  return terminal.stdout;
};

describe("shieldctl policy gaps", () => {
  it("lists the latest first, of all policies", () => {
    const all = [policy("a", [gap("2026-12-01T10:00:00Z")]), policy("b", [gap("2026-12-02T10:00:00Z")])];
    expect(listGaps(all).map((row) => row.policy)).toEqual(["b", "a"]);
  });

  it("says who wrote what and when, who opened it, and whether it breaks the policy still", () => {
    const object = {
      apiVersion: "v1",
      kind: "Pod",
      namespace: "shop",
      name: "web",
      user: "ann",
      operation: "CREATE",
    };
    const text = printed([
      policy("a", [
        gap("2026-12-01T10:00:00Z", {
          until: "2026-12-01T11:00:00Z",
          user: "oncall",
          found: 30,
          objects: [{ ...object, time: "2026-12-01T10:05:00Z", violates: true }],
        }),
      ]),
    ]);
    expect(text).toContain("a: BreakGlass from 2026-12-01T10:00:00Z to 2026-12-01T11:00:00Z");
    expect(text).toContain("opened by oncall");
    expect(text).toMatch(/2026-12-01T10:05:00Z +CREATE +Pod +shop +web +ann +yes/);
    expect(text).toContain("and 29 more");
    expect(text).not.toContain("audit log");
  });

  it("says where to look for who, when the webhook was not asked", () => {
    const object = {
      apiVersion: "v1",
      kind: "Pod",
      name: "web",
      manager: "kubectl\u001b[2J",
      time: "2026-12-01T10:05:00Z",
    };
    const text = printed([
      policy("a", [gap("2026-12-01T10:00:00Z", { cause: "NoReplica", objects: [object] })]),
    ]);
    expect(text).toContain("now, it lasts");
    expect(text).toContain("unknown (by kubectl");
    expect(text).not.toContain("\u001b");
    expect(text).toContain("the API server's audit log has the user");
  });

  it("gives no all-clear for a time into which the background audit does not look", () => {
    const over = { until: "2026-12-01T11:00:00Z", cause: "Tampering" };
    const text = (more: object): string =>
      printed([policy("a", [gap("2026-12-01T10:00:00Z", { ...over, ...more })])]);
    expect(text({ audited: true })).toContain("nothing that the policy denies is known to have been written");
    const unknown = text({ audited: false });
    expect(unknown).not.toContain("nothing that");
    expect(unknown).toContain("nobody has looked at what was written");
    expect(unknown).toContain("actions.background");
    expect(unknown).toContain("from 2026-12-01T10:00:00Z to 2026-12-01T11:00:00Z");
    expect(text({})).toContain("the background audit has not been through yet");
    // The webhook was asked all the time.
    expect(text({ cause: "BreakGlass", audited: false })).toContain("nothing that the policy denies");
  });

  it("says so when there are none", () => {
    expect(printed([policy("a", [])])).toContain("No gaps");
  });
});

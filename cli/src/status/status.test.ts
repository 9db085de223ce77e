import { kinds } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";
import { judge, type Observed } from "./collect.ts";
import { printStatus } from "./print.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const lease = (
  name: string,
  component: string | undefined,
  age = 1000,
  annotations: Record<string, string> = {},
) => ({
  name,
  holder: name,
  renewedAt: now - age,
  durationSeconds: 15,
  annotations,
  component,
});
const healthy: Observed = {
  kubernetes: "v1.37.2",
  namespace: "shieldx-system",
  crds: kinds.map(({ plural, group }) => ({ name: `${plural}.${group}`, versions: ["v1alpha1"] })),
  deployments: [{ name: "shieldx-operator", ready: 2, wanted: 2, image: "shieldx:0.1.0" }],
  leases: [
    lease("shieldx-operator", undefined),
    lease("shieldx-webhooks-a", "webhooks", 1000, {
      "shieldx.io/policy-set-digest": "0123456789abcdef",
      "shieldx.io/serving-leaf-not-after": "2026-01-20T00:00:00Z",
    }),
  ],
  caBundles: [{ configuration: "shieldx-kinds", caBundle: undefined }],
  policies: [],
  others: [],
  breakGlasses: [],
  unreadable: [],
  now,
};
const policy = {
  name: "p",
  engine: "podSecurity",
  admission: "deny",
  enforcedBy: "Webhook",
  loadedBy: "1/1",
  violating: 3,
  ready: "True",
  reason: "",
  message: "",
};
const other = { kind: "ShieldGenerator", name: "g", ready: "True", reason: "InStep", message: "" };
const problems = (change: Partial<Observed>) => judge({ ...healthy, ...change }).problems;

describe("shieldctl status", () => {
  it("is healthy when everything is", () => {
    expect(judge(healthy)).toMatchObject({
      healthy: true,
      installed: true,
      operator: { leader: "shieldx-operator", renewedSecondsAgo: 1 },
    });
  });
  it("says how to install what is missing", () => {
    expect(problems({ crds: [], leases: [] })).toEqual([expect.stringContaining("helm install shieldx")]);
  });
  it.each([
    [
      "a deployment that is not ready",
      { deployments: [{ name: "shieldx-webhooks", ready: 1, wanted: 3, image: "i" }] },
      "1 of 3 ready",
    ],
    [
      "no leader",
      { leases: [healthy.leases[1]!, lease("shieldx-operator", undefined, 60_000)] },
      "no operator leads",
    ],
    [
      "a released lease",
      { leases: [healthy.leases[1]!, { ...healthy.leases[0]!, holder: "" }] },
      "no operator leads",
    ],
    ["no webhook replica", { leases: [healthy.leases[0]!] }, "no webhook replica reports"],
    [
      "a leaf about to end",
      {
        leases: [
          healthy.leases[0]!,
          lease("w", "webhooks", 0, { "shieldx.io/serving-leaf-not-after": "2026-01-02T00:00:00Z" }),
        ],
      },
      "1 days left",
    ],
    [
      "a policy that is not ready",
      { policies: [{ ...policy, ready: "False", reason: "CompileFailed", message: "why" }] },
      "ShieldPolicy p is not ready: CompileFailed: why",
    ],
    ["what may not be read", { unreadable: ["may not list leases"] }, "may not list leases"],
  ])("needs attention for %s", (_, change, expected) => {
    expect(problems(change as Partial<Observed>)).toEqual([expect.stringContaining(expected)]);
  });
  it("leaves alone what goes in by stages, and not what was taken back", () => {
    const inStages = (reason: string) => [{ ...policy, ready: "False", reason, message: "why" }];
    expect(problems({ policies: inStages("RollingOut") })).toEqual([]);
    expect(problems({ policies: inStages("RolledBack") })).toHaveLength(1);
  });
  it.each(kinds.map(({ kind, plural }) => [kind, plural]))("misses the kind %s", (_, plural) => {
    const crds = healthy.crds.filter(({ name }) => !name.startsWith(`${plural}.`));
    expect(problems({ crds })).toEqual([expect.stringContaining(`${plural}.shieldx.io missing`)]);
  });
  it.each([
    [
      { ...other, ready: "False", reason: "NotOurs", message: "there is one already" },
      "ShieldGenerator g is not ready: NotOurs: there is one already",
    ],
    [
      {
        ...other,
        kind: "ShieldCleanup",
        name: "c",
        ready: "False",
        reason: "MissingRights",
        message: "delete jobs",
      },
      "ShieldCleanup c is not ready: MissingRights: delete jobs",
    ],
    [
      {
        ...other,
        kind: "NamespacedShieldPolicy",
        name: "bakery/p",
        ready: "Unknown",
        reason: "NotReconciled",
      },
      "NamespacedShieldPolicy bakery/p is not ready: NotReconciled",
    ],
  ])("needs attention for %o", (seen, expected) => {
    expect(problems({ others: [seen] })).toEqual([expected]);
  });
  it("leaves alone what is at work, and exceptions whose end has come", () => {
    const passing = [
      { ...other, ready: "False", reason: "Working" },
      { ...other, kind: "ShieldException", ready: "False", reason: "Expired" },
    ];
    expect(problems({ others: passing })).toEqual([]);
  });
  it("tells the first ten of a kind, how many more there are, and where they are listed", () => {
    const others = Array.from({ length: 1000 }, (_, i) => ({
      ...other,
      kind: "NamespacedShieldPolicy",
      name: `tenant/p${i}`,
      ready: "False",
      reason: "NotCompiled",
    }));
    const told = problems({ others });
    expect(told).toHaveLength(11);
    expect(told[10]).toBe(
      "990 more NamespacedShieldPolicy objects are not ready: list them with: kubectl get namespacedshieldpolicies --all-namespaces",
    );
  });
  it("shows what tenants wrote, and lets none of it move the cursor", () => {
    const terminal = recordingTerminal();
    const message = "spec.validations[0]: \u001b[2Jall is well\nShieldX: healthy";
    printStatus(
      judge({ ...healthy, others: [{ ...other, ready: "False", reason: "NotCompiled", message }] }),
      terminal,
    );
    expect(terminal.stdout).toContain(
      "! ShieldGenerator g is not ready: NotCompiled: spec.validations[0]: \ufffd[2Jall",
    );
    expect(terminal.stdout).not.toContain("\u001b[2J");
  });
  it("counts the objects of every other kind that has any", () => {
    const terminal = recordingTerminal();
    const others = [other, { ...other, name: "h", ready: "False", reason: "Contested", message: "why" }];
    const report = judge({ ...healthy, policies: [policy], others });
    expect(report.objects).toEqual([{ kind: "ShieldGenerator", total: 2, notReady: 1 }]);
    printStatus(report, terminal);
    expect(terminal.stdout).toMatch(/ShieldGenerator +2, 1 not ready/);
    expect(terminal.stdout).not.toContain("ShieldCleanup");
  });
  it("prints facts a person looks for", () => {
    const terminal = recordingTerminal();
    printStatus(judge({ ...healthy, policies: [policy] }), terminal);
    expect(terminal.stdout).toContain("ShieldX in shieldx-system: healthy");
    expect(terminal.stdout).toMatch(/Webhooks +1 serving, policy set 0123456789ab loaded by 1\/1/);
    expect(terminal.stdout).toMatch(/leaf 19 days left/);
    expect(terminal.stdout).toMatch(/p +podSecurity +deny +Webhook +1\/1 +3 +True/);
    const bare = recordingTerminal();
    printStatus(judge(healthy), bare);
    expect(bare.stdout).toContain("No ShieldPolicy yet");
  });
});

it("needs attention while a ShieldBreakGlass is open, and says how to end it", () => {
  const glass = (expiresAt: string) => ({
    metadata: { name: "inc", uid: "u", creationTimestamp: new Date(now - 60_000).toISOString() },
    spec: { policies: ["hosts"], reason: "INC-1: it has to be", expiresAt },
  });
  const open = judge({ ...healthy, breakGlasses: [glass("2026-01-01T01:00:00Z")] });
  expect(open.healthy).toBe(false);
  expect(open.problems.join("\n")).toContain("nothing is refused by hosts (INC-1: it has to be)");
  expect(open.problems.join("\n")).toContain("kubectl delete shieldbreakglass inc");
  expect(judge({ ...healthy, breakGlasses: [glass("2025-12-31T23:59:59Z")] }).healthy).toBe(true);
});

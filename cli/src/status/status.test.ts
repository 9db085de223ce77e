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
  crds: [
    { name: "shieldpolicies.shieldx.io", versions: ["v1alpha1"] },
    { name: "namespacedshieldpolicies.shieldx.io", versions: ["v1alpha1"] },
    { name: "shieldexceptions.shieldx.io", versions: ["v1alpha1"] },
  ],
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

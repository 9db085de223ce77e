import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  admissionRequest,
  celPolicy,
  newYear,
  offender,
  podObject,
  podSecurityPolicy,
  shieldException,
} from "../testing/objects.ts";
import { checkManifests } from "./offline/check-manifests.ts";
import { evaluatePodSecurity } from "./pod-security/evaluate.ts";
import { podJudgementUnchanged } from "./pod-security/unchanged.ts";
import { extractPodSpec, podCarriers } from "./pod-security/workload.ts";
import { buildPolicySet } from "./policy-set/build.ts";

const fieldNames = [
  ...["apiVersion", "kind", "metadata", "spec", "template", "jobTemplate", "annotations", "labels", "name"],
  ...[
    "containers",
    "initContainers",
    "ephemeralContainers",
    "securityContext",
    "volumes",
    "ports",
    "hostPort",
  ],
  ...[
    "capabilities",
    "add",
    "drop",
    "seccompProfile",
    "seLinuxOptions",
    "type",
    "sysctls",
    "os",
    "hostNetwork",
  ],
  ...["livenessProbe", "httpGet", "host", "lifecycle", "windowsOptions", "deletionTimestamp", "generateName"],
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "length"],
];

/** JSON as it comes from the wire, made mostly of the names that code looks at. */
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(null, true, false, 0, 1, -1, 1.5, 1e308, "", "x", "v1", "Pod", "windows"),
      fc.string(),
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(fc.constantFrom(...fieldNames), fc.string()), tie("value")), { maxLength: 6 })
      .map(ownFields),
  ),
})).value;

/** An object whose `__proto__` is a field of its own, as `JSON.parse` makes it. */
function ownFields(entries: [string, unknown][]): object {
  const text = entries.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(", ");
  return JSON.parse(`{${text}}`) as object;
}

const set = buildPolicySet({
  policies: [
    podSecurityPolicy("p", {
      podSecurity: { level: "restricted", version: "latest", exemptions: { usernames: ["robot"] } },
      matchConstraints: {
        matchPolicy: "Equivalent",
        objectSelector: { matchExpressions: [{ key: "x", operator: "DoesNotExist" }] },
      },
      exceptions: { namespaces: { names: ["team-a"] }, maxDuration: "720h" },
    }),
  ],
  exceptions: [shieldException("e", { checks: ["privileged"] })],
  serverMinor: 37,
});
const context = { namespaceLabels: {}, now: newYear, deadlineMs: 10_000 };
const workload = fc.tuple(fc.constantFrom(...podCarriers), json, json).map(([carrier, metadata, spec]) => ({
  apiVersion: carrier.group === "" ? "v1" : `${carrier.group}/v1`,
  kind: carrier.kind,
  metadata,
  spec,
  template: spec,
}));
const runs = { numRuns: 5_000 };

describe("whatever JSON arrives", () => {
  it("the standards answer, and refuse with a reason", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("baseline", "restricted"),
        fc.nat({ max: 40 }),
        json,
        json,
        (level, minor, metadata, spec) => {
          const { allowed, violations } = evaluatePodSecurity({
            level,
            version: `v1.${minor}`,
            metadata,
            spec,
          });
          expect(allowed).toBe(violations.length === 0);
          for (const { reason } of violations) expect(reason).not.toBe("");
        },
      ),
      runs,
    );
  });

  it("a policy set answers without an internal error", () => {
    fc.assert(
      fc.property(
        fc.oneof(json, workload),
        fc.oneof(json, workload),
        fc.constantFrom("CREATE", "UPDATE"),
        (object, oldObject, operation) => {
          const request = { ...admissionRequest(podObject("a")), operation, object, oldObject };
          const verdict = set.evaluate(request, context);
          const { findings } = set.judge(object, context);
          const all = [...verdict.denials, ...verdict.warnings, ...verdict.audits, ...findings];
          expect(all.filter(({ code }) => code === "InternalError")).toEqual([]);
          expect(verdict.allowed).toBe(verdict.denials.length === 0);
        },
      ),
      runs,
    );
  });

  it("comparing and extracting answer, and nothing changes when nothing changed", () => {
    fc.assert(
      fc.property(workload, json, (object, other) => {
        extractPodSpec(other);
        podJudgementUnchanged(object, other);
        podJudgementUnchanged(other, object);
        const copy = structuredClone(object);
        const before = evaluatePodSecurity({ level: "restricted", version: "v1.37", ...podOf(object) });
        if (podJudgementUnchanged(object, copy)) {
          expect(evaluatePodSecurity({ level: "restricted", version: "v1.37", ...podOf(copy) })).toEqual(
            before,
          );
        }
      }),
      runs,
    );
  });

  it("an offline check answers", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(json, workload), { maxLength: 5 }), (objects) => {
        const policies = [podSecurityPolicy("p"), celPolicy("c")];
        const report = checkManifests({
          objects: objects.map((object) => ({ object })),
          policies,
          serverMinor: 37,
          now: 0,
        });
        expect(report.checked + report.skipped.length).toBe(objects.length);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a polluted prototype", () => {
  it("changes no verdict", () => {
    const clean = podObject("a");
    const judge = () => [
      set.evaluate(admissionRequest(clean), context),
      evaluatePodSecurity({ level: "baseline", version: "v1.37", ...podOf(clean) }),
      evaluatePodSecurity({ level: "restricted", version: "v1.37", ...podOf(offender()) }),
    ];
    const before = JSON.stringify(judge());
    const pollution = {
      hostNetwork: true,
      hostUsers: false,
      securityContext: { privileged: true },
      labels: { x: "y" },
      annotations: { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" },
      ephemeralContainers: [{ name: "e", securityContext: { privileged: true } }],
      os: { name: "windows" },
    };
    try {
      for (const [key, value] of Object.entries(pollution)) {
        Object.defineProperty(Object.prototype, key, { value, configurable: true, writable: true });
      }
      expect(JSON.stringify(judge())).toBe(before);
    } finally {
      for (const key of Object.keys(pollution)) delete (Object.prototype as Record<string, unknown>)[key];
    }
  });
});

function podOf(object: unknown): { metadata: unknown; spec: unknown } {
  const { metadata, spec } = extractPodSpec(object) ?? { metadata: undefined, spec: undefined };
  return { metadata, spec };
}

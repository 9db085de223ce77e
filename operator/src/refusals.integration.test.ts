import {
  type ResourceType,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NAMESPACE, roles, startTestBed, type TestBed, waitFor } from "./cluster.test-kit.ts";
import { ShieldExceptionType, ShieldPolicyType } from "./kinds.ts";
import type { operatorRbac } from "./rbac.ts";

const resourceRules = [
  { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
];
const celPolicy = (name: string, over: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: {
    engine: "cel",
    actions: { admission: "deny" },
    matchConstraints: { resourceRules },
    validations: [{ expression: "object.metadata.name != 'no'", message: "no" }],
    ...over,
  },
});
const podSecurityPolicy = (name: string) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: { engine: "podSecurity", podSecurity: { level: "baseline" }, actions: { admission: "deny" } },
});
const exception = (name: string, policy: string, names: string[]) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name, namespace: "default" },
  spec: {
    policies: [policy],
    owner: "team-a",
    reason: "to fill what is rendered",
    expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
    match: { names },
  },
});
/** About `length` characters that say nothing, as no word of them repeats in the object. */
const long = (length: number, seed: number) => `object.metadata.name != '${seed}${"x".repeat(length)}'`;
const longNames = (exceptionNumber: number) =>
  Array.from({ length: 50 }, (_, i) => `${exceptionNumber}-${i}-${"n".repeat(240)}`);

describe("writes that the API server refuses", () => {
  let bed: TestBed;
  const conditionOf = async (name: string, type: string) =>
    (await bed.admin.get(ShieldPolicyType, { name })).status?.conditions?.find((item) => item.type === type);
  const said = async (name: string, type: string) => {
    const found = await conditionOf(name, type);
    return `${found?.status} ${found?.reason}`;
  };
  const becomes = (name: string, type: string, wanted: string) =>
    waitFor(`${name} ${type}=${wanted}`, async () => (await said(name, type)) === wanted, 30_000).catch(
      async (cause) => {
        throw new Error(`${name} is ${JSON.stringify(await conditionOf(name, type))}`, { cause });
      },
    );
  /** The operator's roles, without the rights named: `verb resource`. */
  const grant = async (...without: string[]) => {
    const less = (rules: typeof operatorRbac.cluster) =>
      rules.flatMap((rule) =>
        (rule.resources ?? []).flatMap((resource) => {
          const verbs = rule.verbs.filter((verb) => !without.includes(`${verb} ${resource}`));
          return verbs.length === 0 ? [] : [{ ...rule, resources: [resource], verbs }];
        }),
      );
    await bed.apply(
      ...roles().map((object) =>
        "rules" in object ? { ...object, rules: less(object.rules as typeof operatorRbac.cluster) } : object,
      ),
    );
    // The authorizer learns of it by a watch of its own.
    for (const right of without) {
      const [verb = "", resource = ""] = right.split(" ");
      const [name = "", subresource] = resource.split("/");
      const of = subresource === undefined ? [] : [`--subresource=${subresource}`];
      const identity = `--as=system:serviceaccount:${NAMESPACE}:shieldx-operator`;
      await waitFor(`${right} is taken away`, async () => {
        const { stdout } = await bed.kubectl(["auth", "can-i", verb, name, ...of, identity]);
        return stdout.trim() === "no";
      });
    }
  };

  beforeAll(async () => {
    bed = await startTestBed({ name: "refusals" });
    await bed.startOperator({ refusalRetryMs: 1_000 });
  });
  afterAll(async () => {
    await bed?.stop();
  });

  it("FieldConflict: an admission policy of somebody else's that bears the name is left alone", async () => {
    const theirs = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "shieldx-taken" },
      spec: { matchConstraints: { resourceRules }, validations: [{ expression: "1 == 1" }] },
    };
    await bed.kubectl(["create", "-f", "-"], theirs);
    await bed.apply(celPolicy("taken"));
    await becomes("taken", "Enforced", "False FieldConflict");
    const { message } = (await conditionOf("taken", "Ready")) ?? {};
    expect(message).toMatch(/shieldx-taken: .*spec set by "kubectl-create": .*rename its object/);
    // A binding that names the very policy: nothing in it conflicts with ours, and it is theirs all the same.
    const binding = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: "shieldx-bound" },
      spec: { policyName: "shieldx-bound", validationActions: ["Audit"], matchResources: {} },
    };
    await bed.kubectl(["create", "-f", "-"], binding);
    await bed.apply(celPolicy("bound"));
    await becomes("bound", "Enforced", "False FieldConflict");
    const bound = await bed.admin.get(ValidatingAdmissionPolicyBinding, { name: "shieldx-bound" });
    expect(bound.spec.validationActions).toEqual(["Audit"]);
    expect(bound.metadata.labels).toBeUndefined();
    await bed.kubectl(["delete", "shieldpolicy", "bound"]);
    await bed.kubectl(["delete", "validatingadmissionpolicybinding", "shieldx-bound"]);

    const found = await bed.admin.get(ValidatingAdmissionPolicy, { name: "shieldx-taken" });
    expect(found.spec.validations).toEqual(theirs.spec.validations);
    expect(found.metadata.labels).toBeUndefined();
    await bed.kubectl(["delete", "validatingadmissionpolicy", "shieldx-taken"]);
    await becomes("taken", "Ready", "True InForce");
  });

  it("restores one of ours though its label and its rules were taken away while no operator ran", async () => {
    await bed.kubectl(["delete", "shieldpolicy", "taken"]);
    await bed.apply(celPolicy("stripped"));
    await becomes("stripped", "Ready", "True InForce");
    await grant("patch validatingadmissionpolicies");
    await bed.kubectl([
      "patch",
      "validatingadmissionpolicy",
      "shieldx-stripped",
      "--type=json",
      "-p",
      '[{"op":"remove","path":"/metadata/labels"},{"op":"replace","path":"/spec/validations/0/expression","value":"true"}]',
    ]);
    await becomes("stripped", "Enforced", "False MissingRights");
    await grant();
    await becomes("stripped", "Ready", "True InForce");
    const found = await bed.admin.get(ValidatingAdmissionPolicy, { name: "shieldx-stripped" });
    expect(JSON.stringify(found.spec.validations)).toContain("!= 'no'");
  });

  it("MissingRights: what was accepted before stays in force, and the condition says so", async () => {
    await grant("patch validatingadmissionpolicies");
    await bed.apply(
      celPolicy("stripped", { validations: [{ expression: "object.metadata.name != 'never'" }] }),
    );
    await becomes("stripped", "Degraded", "True MissingRights");
    expect(await said("stripped", "Enforced")).toBe("True OlderVersion");
    const { message } = (await conditionOf("stripped", "Ready")) ?? {};
    expect(message).toMatch(
      /shieldx-operator cannot patch resource "validatingadmissionpolicies".*grant the right/,
    );
    await grant();
    await becomes("stripped", "Ready", "True InForce");
  });

  it("ObjectTooLarge: exceptions that make the admission policy too large for etcd", async () => {
    const fill = { matchConditions: 62, validations: 64 };
    await bed.apply(
      celPolicy("large", {
        matchConditions: Array.from({ length: fill.matchConditions - 1 }, (_, i) => ({
          name: `c${i}`,
          expression: long(10_100, i),
        })),
        validations: Array.from({ length: fill.validations }, (_, i) => ({
          expression: long(10_100, i),
          messageExpression: `'${"m".repeat(4_150)}'`,
        })),
        exceptions: { namespaces: { names: ["default"] } },
      }),
    );
    await becomes("large", "Ready", "True InForce");
    await bed.apply(...[1, 2, 3].map((i) => exception(`fill-${i}`, "large", longNames(i))));
    await becomes("large", "Degraded", "True ObjectTooLarge");
    const { message } = (await conditionOf("large", "Ready")) ?? {};
    expect(message).toMatch(/shieldx-large: the object is too large .*make it smaller/);
    await bed.kubectl(["delete", "shieldexception", "--all"]);
    await becomes("large", "Ready", "True InForce");
  });

  it("TooManyExceptions: those that no longer fit say so themselves", async () => {
    await bed.apply(celPolicy("many", { exceptions: { namespaces: { names: ["default"] } } }));
    await bed.apply(...[1, 2, 3, 4, 5].map((i) => exception(`many-${i}`, "many", longNames(i))));
    const readiness = async () => {
      const { items } = await bed.admin.list(ShieldExceptionType);
      return items
        .map(({ status }) => status?.conditions?.find(({ type }) => type === "Ready")?.reason)
        .sort();
    };
    await waitFor("some left out", async () => (await readiness()).includes("TooManyExceptions"));
    const before = await readiness();
    expect(before).toContain("Active");
    await bed.kubectl(["delete", "shieldexception", "many-1", "many-2", "many-3"]);
    await waitFor("room for all", async () => (await readiness()).join() === "Active,Active");
    await bed.kubectl(["delete", "shieldexception", "--all"]);
  });

  it("ImmutableField and QuotaExceeded: Secrets the certificates cannot be written to", async () => {
    await bed.apply(podSecurityPolicy("base"));
    await becomes("base", "Enforced", "False WaitingForReplica");
    await bed.kubectl([
      "patch",
      "secret",
      "-n",
      NAMESPACE,
      "shieldx-webhooks-tls",
      "-p",
      '{"immutable":true}',
    ]);
    const rotate = (what: string) =>
      bed.kubectl(["annotate", "secret", "-n", NAMESPACE, "shieldx-webhooks-ca", "--overwrite", what]);
    await rotate("shieldx.io/rotate=leaf:1");
    await becomes("base", "Enforced", "False ImmutableField");
    const { message } = (await conditionOf("base", "Ready")) ?? {};
    expect(message).toMatch(
      /shieldx-system\/shieldx-webhooks-tls: data cannot be changed .*delete the object/,
    );

    const quota = ["create", "quota", "none", "-n", NAMESPACE, "--hard=count/secrets=0"];
    await bed.kubectl(quota);
    await waitFor("the quota is known", async () => {
      const { stdout } = await bed.kubectl(["get", "quota", "none", "-n", NAMESPACE, "-o", "json"]);
      return JSON.parse(stdout).status?.hard !== undefined;
    });
    await bed.kubectl(["delete", "secret", "-n", NAMESPACE, "shieldx-webhooks-tls"]);
    await becomes("base", "Enforced", "False QuotaExceeded");
    await bed.kubectl(["delete", "quota", "none", "-n", NAMESPACE]);
    await becomes("base", "Enforced", "False WaitingForReplica");
  });

  it("deleted meanwhile: an object made anew under its name while its status is written", async () => {
    for (let i = 0; i < 15; i++) {
      await bed.admin.create(ShieldPolicyType as ResourceType, celPolicy("again"));
      await bed.admin.delete(ShieldPolicyType, { name: "again" });
    }
    await bed.apply(celPolicy("again"));
    await becomes("again", "Ready", "True InForce");
  });

  it("a status that is refused is told by an Event, and written when it may be", async () => {
    await bed.apply(celPolicy("told"));
    await becomes("told", "Ready", "True InForce");
    await grant("patch shieldpolicies/status");
    await bed.apply(celPolicy("told", { validations: [{ expression: "true" }] }));
    await waitFor("an Event says so", async () => {
      const selector = "reason=StatusNotWritten";
      const { stdout } = await bed.kubectl([
        "get",
        "events.events.k8s.io",
        "-A",
        "--field-selector",
        selector,
      ]);
      return stdout.includes("told");
    });
    await grant();
    await waitFor("the status is current", async () => {
      const { metadata, status } = await bed.admin.get(ShieldPolicyType, { name: "told" });
      return status?.observedGeneration === metadata.generation;
    });
  });

  it("logged no error, and each refusal once", () => {
    expect(bed.failures).toEqual([]);
    const repeated = bed.warnings.filter(
      (line, at) => line.includes("tried again") && bed.warnings[at - 1] === line,
    );
    expect(repeated).toEqual([]);
    expect(bed.warnings.filter((line) => line.includes("tried again")).length).toBeLessThan(40);
  });
});

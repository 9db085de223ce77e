import { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestBed, type TestBed, waitFor } from "./cluster.test-kit.ts";
import { ShieldPolicyType } from "./kinds.ts";

const resourceRules = [
  { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE", "UPDATE"] },
];
const policy = (name: string, over: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: {
    engine: "cel",
    actions: { admission: "deny" },
    matchConstraints: { resourceRules },
    validations: [{ expression: `object.metadata.name != 'no-${name}'`, message: "not that name" }],
    ...over,
  },
});
const names = Array.from({ length: 40 }, (_, at) => `p${at}`);

describe("policies that share admission policies", () => {
  let bed: TestBed;
  const create = (name: string) =>
    bed.kubectl(["create", "--dry-run=server", "-f", "-"], {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: "default" },
      data: { level: "low" },
    });
  const isDeniedBy = async (policyName: string, configMap = `no-${policyName}`) => {
    const { code, stderr } = await create(configMap);
    return code !== 0 && stderr.includes(`ShieldPolicy "${policyName}": `);
  };
  const ready = async (name: string) => {
    const { status } = await bed.admin.get(ShieldPolicyType, { name });
    const found = status?.conditions?.find(({ type }) => type === "Ready");
    return `${found?.status} ${found?.reason}`;
  };
  const rendered = async () => {
    const { items } = await bed.admin.list(ValidatingAdmissionPolicy);
    return items.map(({ metadata }) => metadata.name).sort();
  };
  const groups = async () => (await rendered()).filter((name) => name.startsWith("shieldx.group-"));
  const groupsOf = async (name: string) => {
    const { items } = await bed.admin.list(ValidatingAdmissionPolicy);
    return items.filter(
      ({ metadata }) =>
        metadata.name.startsWith("shieldx.group-") &&
        metadata.ownerReferences?.some((owner) => owner.name === name) === true,
    );
  };
  const groupOf = async (name: string) => (await groupsOf(name))[0];

  beforeAll(async () => {
    bed = await startTestBed({ name: "operator-merged", audit: true });
    await bed.startOperator({ refusalRetryMs: 1_000 });
  });
  afterAll(async () => {
    await bed?.stop();
  });

  it("renders forty policies as few, and each of them refuses in its own name", async () => {
    await bed.apply(...names.map((name) => policy(name)));
    await waitFor("all are ready", async () => {
      const { items } = await bed.admin.list(ShieldPolicyType);
      return items.every(({ status }) =>
        status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
      );
    });
    // Groups that have become too large are parted, and the former goes some seconds later.
    await waitFor("all are merged, and nobody is on the way", async () => {
      const found = await rendered();
      const bindings = (await bed.admin.list(ValidatingAdmissionPolicyBinding)).items.length;
      const places = (await Promise.all(names.map(groupsOf))).map((groups) => groups.length);
      const areGroups = found.every((name) => name.startsWith("shieldx.group-"));
      return (
        areGroups && found.length <= 4 && bindings === found.length && places.every((count) => count === 1)
      );
    });
    for (const name of ["p0", "p17", "p39"]) await waitFor(`${name} refuses`, () => isDeniedBy(name));
    expect((await create("fine")).code).toBe(0);
    const owners = (await groupOf("p17"))?.metadata.ownerReferences ?? [];
    expect(owners.length).toBeGreaterThan(3);
    expect(owners.every(({ kind, controller }) => kind === "ShieldPolicy" && controller === undefined)).toBe(
      true,
    );
  });

  it("takes a change of one policy in without touching other objects", async () => {
    const group = (await groupOf("p17"))?.metadata;
    const others = async () =>
      (await bed.admin.list(ValidatingAdmissionPolicy)).items
        .filter(({ metadata }) => metadata.name !== group?.name)
        .map(({ metadata }) => `${metadata.name} ${metadata.generation}`);
    const before = await others();
    await bed.apply(
      policy("p17", {
        validations: [{ expression: "object.metadata.name != 'changed'", message: "changed" }],
      }),
    );
    await waitFor("the change is in force", () => isDeniedBy("p17", "changed"));
    expect((await create("no-p17")).code).toBe(0);
    expect((await groupOf("p17"))?.metadata.name).toBe(group?.name);
    expect(await others()).toEqual(before);
  });

  it("honours an exception of one member, and the others still hold", async () => {
    await bed.apply(policy("p5", { exceptions: { namespaces: { names: ["default"] } } }), {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "let-p5", namespace: "default" },
      spec: {
        policies: ["p5"],
        owner: "team-a",
        reason: "for as long as the test lasts",
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        match: { names: ["no-p5", "no-p6"] },
      },
    });
    await waitFor("the exception counts", async () => (await create("no-p5")).code === 0);
    expect(await isDeniedBy("p6")).toBe(true);
    expect(await groups()).toEqual(await rendered());
  });

  it("restores what was tampered with or deleted, and tells every policy in it", async () => {
    const group = await groupOf("p39");
    const name = group?.metadata.name ?? "";
    const before = JSON.stringify(group?.spec);
    const emptied = '[{"op":"replace","path":"/spec/validations","value":[{"expression":"true"}]}]';
    await bed.kubectl(["patch", "validatingadmissionpolicy", name, "--type=json", "-p", emptied]);
    await waitFor("it is as before", async () => JSON.stringify((await groupOf("p39"))?.spec) === before);
    await bed.kubectl(["delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name]);
    await waitFor("both are back", async () => {
      const binding = await bed.admin.find(ValidatingAdmissionPolicyBinding, { name });
      return binding !== undefined && JSON.stringify((await groupOf("p39"))?.spec) === before;
    });
    await waitFor("it refuses again", () => isDeniedBy("p39"));
    const members = (await groupOf("p39"))?.metadata.ownerReferences?.map((owner) => owner.name) ?? [];
    await waitFor("each has an Event", async () => {
      const { stdout } = await bed.kubectl([
        ...["get", "events.events.k8s.io", "-A", "--field-selector", "reason=TamperingRestored"],
        ...["-o", "jsonpath={.items[*].regarding.name}"],
      ]);
      return members.every((member) => stdout.split(" ").includes(member));
    });
  });

  it("gives a policy that gets on with no other one of its own, and says what is wrong with which", async () => {
    const auditAnnotations = [{ key: "seen", valueExpression: "'yes'" }];
    await bed.apply(policy("noted", { auditAnnotations }));
    await waitFor("noted refuses", () => isDeniedBy("noted"));
    expect(await groupOf("noted")).toBeUndefined();
    await bed.apply(policy("broken", { validations: [{ expression: "object.metadata.name ==" }] }));
    await waitFor("broken says so", async () => (await ready("broken")) === "False RefusedByServer");
    await bed.apply(
      policy("odd", { validations: [{ expression: "true" }, { expression: "object.nosuchfield == 1" }] }),
    );
    await waitFor("odd is merged and warns", async () => {
      const { status } = await bed.admin.get(ShieldPolicyType, { name: "odd" });
      const degraded = status?.conditions?.find(({ type }) => type === "Degraded");
      return degraded?.message.startsWith("spec.validations[1].expression: ") === true;
    });
    expect(await groupOf("odd")).toBeDefined();
    expect(await ready("p0")).toBe("True InForce");
    await bed.kubectl(["delete", "shieldpolicy", "odd", "broken"]);
    await waitFor("odd is gone", async () => (await groupOf("odd")) === undefined);
    await waitFor("also from what the API server holds", async () =>
      (await create("no-p9")).stderr.includes('"p9"'),
    );
  });

  it("leaves the last version in force of a member whose next one is refused", async () => {
    await bed.apply(policy("p8", { validations: [{ expression: "object.metadata.name ==" }] }));
    await waitFor("p8 says so", async () => (await ready("p8")) === "False RefusedByServer");
    expect(await isDeniedBy("p8")).toBe(true);
    await bed.apply(policy("p7", { validations: [{ expression: "object.metadata.name != 'seven'" }] }));
    await waitFor("a neighbour changes", () => isDeniedBy("p7", "seven"));
    expect(await isDeniedBy("p8")).toBe(true);
    await bed.apply(policy("p8"));
    await waitFor("p8 is well again", async () => (await ready("p8")) === "True InForce");
  });

  it("moves policies between groups and out of them without a moment in which they do not hold", async () => {
    let isMoving = true;
    const gaps: string[] = [];
    const watching = (async () => {
      while (isMoving) {
        for (const name of ["p0", "p1"]) if (!(await isDeniedBy(name))) gaps.push(name);
      }
    })();
    // Other constraints: p0 belongs elsewhere.
    const update = [{ ...resourceRules[0], operations: ["CREATE"] }];
    await bed.apply(policy("p0", { matchConstraints: { resourceRules: update } }));
    await waitFor("p0 is alone", async () => (await groupOf("p0")) === undefined, 30_000);
    // So few are left that each gets its own.
    await bed.kubectl(["delete", "shieldpolicy", "noted", ...names.slice(3)]);
    await waitFor(
      "three are left, alone",
      async () => JSON.stringify(await rendered()) === '["shieldx-p0","shieldx-p1","shieldx-p2"]',
      30_000,
    );
    isMoving = false;
    await watching;
    expect(gaps).toEqual([]);
    expect(await isDeniedBy("p2")).toBe(true);
    expect((await create("no-p9")).code).toBe(0);
    expect(bed.failures).toEqual([]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { celPolicy, newYear, podSecurityPolicy, shieldException } from "../../testing/objects.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { celString } from "./cel-text.ts";
import { type RenderOptions, renderAdmissionPolicy } from "./render.ts";

type Spec = Parameters<typeof celPolicy>[1];
const render = (
  spec: Spec = {},
  exceptions: ReturnType<typeof shieldException>[] = [],
  options: RenderOptions = {},
) => renderAdmissionPolicy(celPolicy("p", spec), exceptions, newYear, options);
const conditionNames = (rendered: ReturnType<typeof render>) =>
  rendered.policy.spec.matchConditions.map(({ name }) => name);

describe("renderAdmissionPolicy", () => {
  it("renders a policy and its binding, owned by the ShieldPolicy", () => {
    const { policy, binding } = render();
    expect(policy).toMatchObject({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: {
        name: "shieldx-p",
        labels: { "app.kubernetes.io/managed-by": "shieldx-operator", "shieldx.io/policy": "p" },
        ownerReferences: [
          {
            apiVersion: "shieldx.io/v1alpha1",
            kind: "ShieldPolicy",
            name: "p",
            uid: "uid-of-p",
            controller: true,
          },
        ],
      },
      spec: { failurePolicy: "Fail", validations: [{ message: 'ShieldPolicy "p": label it with an owner' }] },
    });
    expect(binding.metadata).toEqual(policy.metadata);
    expect(binding.spec).toEqual({ policyName: "shieldx-p", validationActions: ["Deny"] });
  });

  it.each([
    ["deny", "Deny", "Fail"],
    ["warn", "Warn", "Ignore"],
    ["audit", "Audit", "Ignore"],
  ] as const)("renders %s as %s, failing to %s unless told otherwise", (admission, action, failurePolicy) => {
    const { policy, binding } = render({ actions: { admission } });
    expect(binding.spec.validationActions).toEqual([action]);
    expect(policy.spec.failurePolicy).toBe(failurePolicy);
    expect(render({ actions: { admission }, failurePolicy: "Ignore" }).policy.spec.failurePolicy).toBe(
      "Ignore",
    );
  });

  it("always excludes the namespaces that must work, besides what the policy chooses", () => {
    const matchConstraints = {
      ...celPolicy("p").spec.matchConstraints!,
      namespaceSelector: {
        matchLabels: { a: "b" },
        matchExpressions: [{ key: "c", operator: "Exists" as const }],
      },
    };
    const { namespaceSelector } = render({ matchConstraints }, [], { neverJudged: ["own"] }).policy.spec
      .matchConstraints;
    expect(namespaceSelector).toEqual({
      matchLabels: { a: "b" },
      matchExpressions: [
        { key: "c", operator: "Exists" },
        {
          key: "kubernetes.io/metadata.name",
          operator: "NotIn",
          values: ["kube-node-lease", "kube-system", "own"],
        },
      ],
    });
  });

  it("excludes Leases, Nodes, namespace deletion and our own kinds only where the rules reach them", () => {
    const excluded = (...resources: [string, string][]) =>
      render({
        matchConstraints: {
          matchPolicy: "Equivalent",
          resourceRules: resources.map(([group, resource]) => ({
            apiGroups: [group],
            apiVersions: ["*"],
            operations: ["*"],
            resources: [resource],
            scope: "*",
          })),
        },
      }).policy.spec.matchConstraints.excludeResourceRules?.flatMap((rule) => rule.resources) ?? [];
    expect(excluded(["", "pods"])).toEqual([]);
    expect(excluded(["", "nodes"])).toEqual(["nodes", "nodes/status"]);
    expect(excluded(["coordination.k8s.io", "*"])).toEqual(["leases"]);
    expect(excluded(["*", "*/*"])).toEqual([
      ...["leases", "nodes", "nodes/status", "namespaces", "namespaces/finalize", "namespaces/status"],
      ...["*/*", "*/*"],
    ]);
    expect(excluded(["authorization.k8s.io", "subjectaccessreviews"])).toEqual(["*/*"]);
  });

  it("lets the namespace controller empty a namespace when the policy is about deletions", () => {
    const [rule] = celPolicy("p").spec.matchConstraints!.resourceRules!;
    const deleting = {
      matchPolicy: "Equivalent" as const,
      resourceRules: [{ ...rule!, operations: ["DELETE" as const] }],
    };
    expect(conditionNames(render())).toEqual(["shieldx.io/not-being-deleted"]);
    expect(conditionNames(render({ matchConstraints: deleting }))).toContain(
      "shieldx.io/not-namespace-cleanup",
    );
  });

  it("folds exceptions into one condition that compares the creation time", () => {
    const rendered = render({}, [
      shieldException("e"),
      shieldException("f", { expiresAt: "2026-01-05T00:00:00Z" }),
    ]);
    expect(rendered.exceptions).toMatchObject({
      folded: ["team-a/e", "team-a/f"],
      leftOut: [],
      nextExpiryAt: Date.parse("2026-01-05T00:00:00Z"),
    });
    expect(conditionNames(rendered)).toEqual(["shieldx.io/not-being-deleted", "shieldx.io/no-exception"]);
    expect(rendered.policy.spec.matchConditions[1]?.expression).toContain(
      "timestamp(object.metadata.creationTimestamp) < timestamp('2026-01-05T00:00:00.000Z')",
    );
  });

  it.each([
    ["has ended", { expiresAt: "2026-01-01T00:00:00Z" }, {}],
    ["is limited to checks of Pods", { checks: ["privileged" as const] }, {}],
    ["is for everything", { match: {} }, {}],
    ["comes from a namespace the policy does not list", {}, { namespace: "team-b" }],
    ["names another policy", { policies: ["q"] }, {}],
    [
      "has a selector that cannot be read",
      { match: { objectSelector: { matchExpressions: [{ key: "a", operator: "Is" as "In" }] } } },
      {},
    ],
  ])("leaves out an exception that %s", (_, spec, metadata) => {
    expect(render({}, [shieldException("e", spec, metadata)]).exceptions.expression).toBeUndefined();
  });

  it("leaves out the newest exceptions rather than grow without bound", () => {
    const names = Array.from({ length: 60 }, (_, i) => `${"n".repeat(240)}${i}*`);
    const many = Array.from({ length: 10 }, (_, i) =>
      shieldException(`e${i}`, { match: { names } }, { creationTimestamp: `2025-12-2${i}T00:00:00Z` }),
    );
    const { folded, leftOut, expression } = render({}, [...many].reverse()).exceptions;
    expect(folded).toEqual(["team-a/e0", "team-a/e1"]);
    expect(leftOut).toHaveLength(8);
    expect(expression?.length).toBeLessThan(60_000);
  });

  it("carries what belongs to the policy and the binding", () => {
    const spec: Spec = {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      paramRef: { name: "limits", parameterNotFoundAction: "Deny" },
      variables: [{ name: "v", expression: "1" }],
      auditAnnotations: [{ key: "k", valueExpression: "'v'" }],
      matchConditions: [{ name: "mine", expression: "true" }],
      validations: [
        { expression: "true &&\n  params != null", messageExpression: "'m'", reason: "Forbidden" },
      ],
    };
    const rendered = render(spec);
    const { policy, binding } = rendered;
    const { paramKind, variables, auditAnnotations } = spec;
    expect(policy.spec).toMatchObject({ paramKind, variables, auditAnnotations });
    expect(conditionNames(rendered).at(-1)).toBe("mine");
    expect(binding.spec.paramRef).toEqual(spec.paramRef);
    expect(policy.spec.validations).toEqual([
      {
        expression: "true &&\n  params != null",
        message: 'ShieldPolicy "p": this must hold: true && params != null',
        messageExpression: `['m'].map(m, m == '' ? m : 'ShieldPolicy "p": ' + m)[0]`,
        reason: "Forbidden",
      },
    ]);
  });

  it("gives the same objects for the same input", () => {
    expect(render({}, [shieldException("a"), shieldException("b")])).toEqual(
      render({}, [shieldException("b"), shieldException("a")]),
    );
  });

  it.each<[string, () => unknown]>([
    ["spec.engine", () => renderAdmissionPolicy(podSecurityPolicy("p"), [], newYear)],
    ["spec.actions.admission", () => render({ actions: { admission: "off" } })],
    [
      "spec.matchConditions",
      () =>
        render({
          matchConditions: Array.from({ length: 64 }, (_, i) => ({ name: `c${i}`, expression: "true" })),
        }),
    ],
    [
      "spec.matchConditions[0].name",
      () => render({ matchConditions: [{ name: "shieldx.io/no-exception", expression: "true" }] }),
    ],
  ])("refuses at %s what has no native form", (path, rendering) => {
    expect(rendering).toThrow(PolicyCompileError);
    expect(rendering).toThrow(expect.objectContaining({ path }) as Error);
  });
});

describe("celString", () => {
  it("cannot be broken out of and loses nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const literal = celString(text);
        expect(literal).toMatch(/^'(?:[^'\\]|\\.)*'$/);
        expect(literal).toMatch(/^[\x20-\x7e]*$/);
        const json = literal
          .slice(1, -1)
          .replace(/\\(U[0-9a-f]{8}|.)|"/g, (found, sequence: string | undefined) => {
            if (found === '"') return '\\"';
            if (sequence === "'") return "'";
            if (sequence?.startsWith("U"))
              return String.fromCodePoint(Number.parseInt(sequence.slice(1), 16));
            return found;
          });
        expect(JSON.parse(`"${json}"`)).toBe(text.toWellFormed());
      }),
    );
  });
});

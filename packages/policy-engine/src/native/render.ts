import {
  effectiveFailurePolicy,
  MOST_WEBHOOK_CALLS,
  type ShieldException,
  type ShieldPolicy,
  type ShieldPolicySpec,
} from "@shieldx/crds";
import { describeMissing, missingOnServer } from "../cel/admission/server-functions.ts";
import { compileCelTerms } from "../policy-set/compile.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { coversOperation } from "../policy-set/resource-rules.ts";
import type { LabelSelectorLike, Labels } from "../policy-set/selector.ts";
import { type FoldedExceptions, foldExceptions } from "./exception-condition.ts";
import { notFinalizing, notNamespaceCleanup } from "./must-pass.ts";
import { withLeftAlone, withoutNeverJudged } from "./never-judged.ts";
import {
  NO_EXCEPTION,
  NOT_BEING_DELETED,
  NOT_NAMESPACE_CLEANUP,
  reservedConditions,
} from "./reserved-conditions.ts";
import { withNamedMessages } from "./validation-messages.ts";

export interface RenderedMetadata {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    /** Of what was rendered from one policy alone. */
    readonly controller?: true;
  }[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RenderedValidatingAdmissionPolicy {
  readonly apiVersion: "admissionregistration.k8s.io/v1";
  readonly kind: "ValidatingAdmissionPolicy";
  readonly metadata: RenderedMetadata;
  readonly spec: {
    readonly failurePolicy: "Fail" | "Ignore";
    readonly matchConstraints: Omit<
      NonNullable<ShieldPolicySpec["matchConstraints"]>,
      "namespaceSelector"
    > & {
      readonly namespaceSelector: LabelSelectorLike;
    };
    readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
    readonly paramKind?: ShieldPolicySpec["paramKind"];
    readonly variables?: ShieldPolicySpec["variables"];
    readonly validations?: ShieldPolicySpec["validations"];
    readonly auditAnnotations?: ShieldPolicySpec["auditAnnotations"];
  };
}

export interface RenderedBinding {
  readonly apiVersion: "admissionregistration.k8s.io/v1";
  readonly kind: "ValidatingAdmissionPolicyBinding";
  readonly metadata: RenderedMetadata;
  readonly spec: {
    readonly policyName: string;
    readonly validationActions: readonly ("Deny" | "Warn" | "Audit")[];
    readonly paramRef?: ShieldPolicySpec["paramRef"];
  };
}

export interface RenderedPolicy {
  /** Name of the ShieldPolicy. */
  readonly of: string;
  readonly policy: RenderedValidatingAdmissionPolicy;
  readonly binding: RenderedBinding;
  readonly exceptions: FoldedExceptions;
}

export interface RenderOptions {
  /** Minor version of the API server: what calls functions it lacks is not rendered. Default: one that has them all. */
  readonly serverMinor?: number;
  /** Labels of a namespace, for policies that choose by label whose exceptions they honour. Default: unknown. */
  readonly namespaceLabels?: (namespace: string) => Labels | undefined;
  /** Namespaces left alone besides kube-system and kube-node-lease: those of this installation. */
  readonly neverJudged?: readonly string[];
}

const validationActions = { deny: "Deny", warn: "Warn", audit: "Audit" } as const;

/** So many the server takes, ours and the policy's. */
const maxMatchConditions = 64;

/**
 * Renders a policy of engine cel as a ValidatingAdmissionPolicy and its binding, which the API server
 * evaluates itself. Pure: the same input gives the same objects, fit for server-side apply.
 *
 * @param now Milliseconds since the epoch; exceptions that have ended by then are left out.
 * @throws PolicyCompileError for a policy of another engine, with `actions.admission: off`, out of bounds, or that calls what
 * the server lacks.
 */
export function renderAdmissionPolicy(
  policy: ShieldPolicy,
  exceptions: readonly ShieldException[],
  now: number,
  options: RenderOptions = {},
): RenderedPolicy {
  const { spec } = policy;
  const terms = compileCelTerms(policy);
  if (spec.actions.admission === "off") {
    throw new PolicyCompileError("Invalid", "spec.actions.admission", "a policy that is off is not rendered");
  }
  checkConditions(spec);
  checkFunctions(spec, options.serverMinor);
  const unknownLabels = () => undefined;
  const folded = foldExceptions(terms, exceptions, now, options.namespaceLabels ?? unknownLabels);
  const metadata = metadataFor(policy);
  return {
    of: policy.metadata.name,
    exceptions: folded,
    policy: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: {
        failurePolicy: effectiveFailurePolicy(spec),
        matchConstraints: constraintsFor(spec, options.neverJudged),
        matchConditions: conditionsFor(spec, folded),
        ...(spec.paramKind === undefined ? {} : { paramKind: spec.paramKind }),
        ...(spec.variables === undefined ? {} : { variables: spec.variables }),
        ...(spec.validations === undefined
          ? {}
          : { validations: withNamedMessages(policy.metadata.name, spec.validations) }),
        ...(spec.auditAnnotations === undefined ? {} : { auditAnnotations: spec.auditAnnotations }),
      },
    },
    binding: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: {
        policyName: metadata.name,
        validationActions: [validationActions[spec.actions.admission]],
        ...(spec.paramRef === undefined ? {} : { paramRef: spec.paramRef }),
      },
    },
  };
}

/** Name of the rendered policy and of its binding. */
export function admissionPolicyName(policy: string): string {
  return `shieldx-${policy}`;
}

export function metadataFor({ apiVersion, kind, metadata: { name, uid } }: ShieldPolicy): RenderedMetadata {
  return {
    name: admissionPolicyName(name),
    labels: {
      "app.kubernetes.io/managed-by": "shieldx-operator",
      "app.kubernetes.io/part-of": "shieldx",
      "shieldx.io/policy": name,
    },
    ...(uid === undefined ? {} : { ownerReferences: [{ apiVersion, kind, name, uid, controller: true }] }),
  };
}

export function constraintsFor(
  { matchConstraints }: ShieldPolicySpec,
  neverJudged: readonly string[] | undefined,
): RenderedValidatingAdmissionPolicy["spec"]["matchConstraints"] {
  const constraints = matchConstraints ?? { matchPolicy: "Equivalent" as const };
  const { namespaceSelector, excludeResourceRules: _, ...rest } = constraints;
  const excluded = withLeftAlone(constraints);
  return {
    ...rest,
    ...(excluded.length === 0 ? {} : { excludeResourceRules: excluded }),
    namespaceSelector: withoutNeverJudged(namespaceSelector, neverJudged),
  };
}

/** Ours first, so that a reader of the rendered policy meets them first; the server demands that all hold. */
function conditionsFor(
  spec: ShieldPolicySpec,
  folded: FoldedExceptions,
): { name: string; expression: string }[] {
  const conditions: { name: string; expression: string }[] = [
    { name: NOT_BEING_DELETED, expression: notFinalizing },
  ];
  if (folded.expression !== undefined) conditions.push({ name: NO_EXCEPTION, expression: folded.expression });
  const rules = spec.matchConstraints?.resourceRules ?? [];
  if (rules.some((rule) => coversOperation(rule, "DELETE"))) {
    conditions.push({
      name: NOT_NAMESPACE_CLEANUP,
      expression: `request.operation != 'DELETE' || ${notNamespaceCleanup}`,
    });
  }
  return [...conditions, ...(spec.matchConditions ?? [])];
}

function checkFunctions(spec: ShieldPolicySpec, serverMinor: number | undefined): void {
  const missing = serverMinor === undefined ? undefined : missingOnServer(spec, serverMinor);
  if (missing === undefined || serverMinor === undefined) return;
  const message = `${describeMissing(missing, serverMinor)}: use evaluation Auto or Webhook, and name what the policy is about, in at most ${MOST_WEBHOOK_CALLS} combinations`;
  throw new PolicyCompileError("Invalid", missing.path, message);
}

function checkConditions(spec: ShieldPolicySpec): void {
  const conditions = spec.matchConditions ?? [];
  const most = maxMatchConditions - reservedConditions.length;
  if (conditions.length > most) {
    const message = `has ${conditions.length} items; at most ${most} fit beside ours: join some with &&`;
    throw new PolicyCompileError("Invalid", "spec.matchConditions", message);
  }
  const taken = conditions.findIndex(({ name }) => reservedConditions.includes(name));
  if (taken >= 0) {
    const name = conditions[taken]?.name ?? "";
    throw new PolicyCompileError(
      "Invalid",
      `spec.matchConditions[${taken}].name`,
      `"${name}" is ours: choose another`,
    );
  }
}

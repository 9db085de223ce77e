import {
  effectiveFailurePolicy,
  effectiveReinvocation,
  type ShieldException,
  type ShieldPolicy,
  type ShieldPolicySpec,
} from "@shieldx/crds";
import { compileCelTerms } from "../policy-set/compile.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { coversOperation } from "../policy-set/resource-rules.ts";
import { type FoldedExceptions, foldExceptions } from "./exception-condition.ts";
import { constraintsFor, metadataFor, type RenderedMetadata, type RenderOptions } from "./render.ts";

export interface RenderedMutatingAdmissionPolicy {
  readonly apiVersion: "admissionregistration.k8s.io/v1";
  readonly kind: "MutatingAdmissionPolicy";
  readonly metadata: RenderedMetadata;
  readonly spec: {
    readonly failurePolicy: "Fail" | "Ignore";
    readonly reinvocationPolicy: "Never" | "IfNeeded";
    readonly matchConstraints: ReturnType<typeof constraintsFor>;
    readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
    readonly paramKind?: ShieldPolicySpec["paramKind"];
    readonly variables?: ShieldPolicySpec["variables"];
    readonly mutations: NonNullable<ShieldPolicySpec["mutations"]>;
  };
}

export interface RenderedMutatingBinding {
  readonly apiVersion: "admissionregistration.k8s.io/v1";
  readonly kind: "MutatingAdmissionPolicyBinding";
  readonly metadata: RenderedMetadata;
  readonly spec: { readonly policyName: string; readonly paramRef?: ShieldPolicySpec["paramRef"] };
}

export interface RenderedMutations {
  readonly policy: RenderedMutatingAdmissionPolicy;
  readonly binding: RenderedMutatingBinding;
  readonly exceptions: FoldedExceptions;
}

const reservedConditions = ["shieldx.io/not-being-deleted", "shieldx.io/no-exception"] as const;
const maxMatchConditions = 64;

/** An object that is being deleted is left alone whatever of it changes. */
const notBeingDeleted = "oldObject == null || !has(oldObject.metadata.deletionTimestamp)";

/** All that the API server takes mutations for (supportedMutatingOperations in its validation). */
const mutable = ["CREATE", "UPDATE"] as const;

/**
 * Renders the mutations of a policy as a MutatingAdmissionPolicy and its binding. Pure, as `renderAdmissionPolicy`.
 *
 * Exceptions are folded in without their end: the object has no creation time yet when it is mutated, so that only whoever
 * renders anew at `nextExpiryAt` ends them.
 *
 * @throws PolicyCompileError for a policy of another engine, without mutations, with `actions.admission: off`, or out of bounds
 */
export function renderMutations(
  policy: ShieldPolicy,
  exceptions: readonly ShieldException[],
  now: number,
  options: RenderOptions = {},
): RenderedMutations {
  const { spec } = policy;
  const terms = compileCelTerms(policy);
  const { mutations = [] } = spec;
  if (mutations.length === 0)
    throw new PolicyCompileError("Required", "spec.mutations", "there is none to render");
  if (spec.actions.admission === "off")
    throw new PolicyCompileError("Invalid", "spec.actions.admission", "a policy that is off is not rendered");
  checkConditions(spec);
  const folded = foldExceptions(terms, exceptions, now, options.namespaceLabels ?? (() => undefined), {
    hasCreationTime: false,
  });
  const metadata = metadataFor(policy);
  const apiVersion = "admissionregistration.k8s.io/v1";
  const [notBeingDeletedName, noExceptionName] = reservedConditions;
  return {
    exceptions: folded,
    policy: {
      apiVersion,
      kind: "MutatingAdmissionPolicy",
      metadata,
      spec: {
        failurePolicy: effectiveFailurePolicy(spec),
        reinvocationPolicy: effectiveReinvocation(spec),
        matchConstraints: onlyMutable(constraintsFor(spec, options.neverJudged)),
        matchConditions: [
          { name: notBeingDeletedName, expression: notBeingDeleted },
          ...(folded.expression === undefined
            ? []
            : [{ name: noExceptionName, expression: folded.expression }]),
          ...(spec.matchConditions ?? []),
        ],
        ...(spec.paramKind === undefined ? {} : { paramKind: spec.paramKind }),
        ...(spec.variables === undefined ? {} : { variables: spec.variables }),
        mutations,
      },
    },
    binding: {
      apiVersion,
      kind: "MutatingAdmissionPolicyBinding",
      metadata,
      spec: {
        policyName: metadata.name,
        ...(spec.paramRef === undefined ? {} : { paramRef: spec.paramRef }),
      },
    },
  };
}

function onlyMutable(constraints: ReturnType<typeof constraintsFor>): ReturnType<typeof constraintsFor> {
  const rules = (constraints.resourceRules ?? []).map((rule) => ({
    ...rule,
    operations: mutable.filter((operation) => coversOperation(rule, operation)),
  }));
  return { ...constraints, resourceRules: rules.filter(({ operations }) => operations.length > 0) };
}

function checkConditions({ matchConditions = [] }: ShieldPolicySpec): void {
  const most = maxMatchConditions - reservedConditions.length;
  if (matchConditions.length > most) {
    const message = `has ${matchConditions.length} items; at most ${most} fit beside ours: join some with &&`;
    throw new PolicyCompileError("Invalid", "spec.matchConditions", message);
  }
  const taken = matchConditions.findIndex(({ name }) =>
    (reservedConditions as readonly string[]).includes(name),
  );
  if (taken < 0) return;
  const name = matchConditions[taken]?.name ?? "";
  throw new PolicyCompileError(
    "Invalid",
    `spec.matchConditions[${taken}].name`,
    `"${name}" is ours: choose another`,
  );
}

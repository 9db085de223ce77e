/** Admission policies that several policies share: how they are written, and what can be read back from them. */
import type { Fragment } from "./fragment.ts";
import type { Head } from "./head.ts";
import type { RenderedBinding, RenderedMetadata, RenderedValidatingAdmissionPolicy } from "./render.ts";

type Spec = RenderedValidatingAdmissionPolicy["spec"];
type Validations = readonly NonNullable<Spec["validations"]>[number][];
type Variables = readonly NonNullable<Spec["variables"]>[number][];
type Owner = NonNullable<RenderedMetadata["ownerReferences"]>[number];

/** A policy's part, as it is in an admission policy. */
export interface MergedMember {
  readonly policy: string;
  readonly uid: string;
  /** `Fragment.digest`, or that of an older version. */
  readonly digest: string;
  readonly validations: Validations;
  /** Those it uses, and maybe others. */
  readonly variables: Variables;
}

export interface MergedPolicy {
  readonly policy: RenderedValidatingAdmissionPolicy;
  readonly binding: RenderedBinding;
}

/** Whose the validations are, in their order: for a reader, and for the operator that comes next. */
export const MEMBERS_ANNOTATION = "shieldx.io/members";
const apiVersion = "admissionregistration.k8s.io/v1";

/** `[policy, uid, digest, how many validations]`. */
type Entry = readonly [string, string, string, number];

export function memberOf({ policy, owner, digest, validations, variables }: Fragment): MergedMember {
  return {
    policy,
    uid: owner?.uid ?? "",
    digest,
    validations,
    variables: variables.map(({ name, expression }) => ({ name, expression })),
  };
}

/** Renders members under one head. Variables that several have are there once. */
export function mergeMembers(
  name: string,
  { spec, validationActions }: Pick<Head, "spec" | "validationActions">,
  members: readonly MergedMember[],
): MergedPolicy {
  const variables = new Map(
    members.flatMap(({ variables: own }) => own.map((variable) => [variable.name, variable])),
  );
  const metadata: RenderedMetadata = {
    name,
    labels: { "app.kubernetes.io/managed-by": "shieldx-operator", "app.kubernetes.io/part-of": "shieldx" },
    annotations: {
      [MEMBERS_ANNOTATION]: JSON.stringify(
        members.map(
          ({ policy, uid, digest, validations }): Entry => [policy, uid, digest, validations.length],
        ),
      ),
    },
    ownerReferences: members.flatMap(ownerOf),
  };
  return {
    policy: {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: {
        ...spec,
        ...(variables.size === 0 ? {} : { variables: [...variables.values()] }),
        validations: members.flatMap(({ validations }) => [...validations]),
      },
    },
    binding: {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: { policyName: name, validationActions },
    },
  };
}

function ownerOf({ policy, uid }: MergedMember): Owner[] {
  return uid === "" ? [] : [{ apiVersion: "shieldx.io/v1alpha1", kind: "ShieldPolicy", name: policy, uid }];
}

/** What is read of an admission policy on the server. */
export interface StoredPolicy {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly validations?: Validations | undefined;
    readonly variables?: Variables | undefined;
  };
}

/** The members of an admission policy on the server; undefined where it does not say, or says what cannot be. */
export function membersOf({ metadata, spec }: StoredPolicy): MergedMember[] | undefined {
  const entries = parseJson(metadata.annotations?.[MEMBERS_ANNOTATION]);
  if (!Array.isArray(entries) || !entries.every(isEntry)) return undefined;
  const { validations = [], variables = [] } = spec ?? {};
  let from = 0;
  const members = entries.map(([policy, uid, digest, count]) => {
    const own = validations.slice(from, from + count);
    from += count;
    return { policy, uid, digest, validations: own, variables };
  });
  return from === validations.length ? members : undefined;
}

/**
 * Which member a field of a merged admission policy belongs to, with the field's path in what that member wrote:
 * `spec.validations[7].expression` may be `spec.validations[0].expression` of the third. Of a variable, all who use it.
 */
export function ownersOfField(
  members: readonly MergedMember[],
  field: string,
): { readonly policy: string; readonly field: string }[] {
  const [, list, at = "", rest = ""] =
    /^spec\.(validations|variables)\[(\d{1,6})\](.{0,1000})$/s.exec(field) ?? [];
  if (list === undefined) return [];
  const index = Number(at);
  if (list === "variables") return ownersOfVariable(members, index, rest);
  let from = 0;
  for (const { policy, validations } of members) {
    if (index < from + validations.length)
      return [{ policy, field: `spec.validations[${index - from}]${rest}` }];
    from += validations.length;
  }
  return [];
}

function ownersOfVariable(members: readonly MergedMember[], index: number, rest: string) {
  const names = [...new Set(members.flatMap(({ variables }) => variables.map(({ name }) => name)))];
  const name = names[index];
  return members
    .filter(({ variables }) => variables.some((variable) => variable.name === name))
    .map(({ policy }) => ({ policy, field: `spec.variables${rest}` }));
}

function isEntry(value: unknown): value is Entry {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const count: unknown = value[3];
  const areWords = value.slice(0, 3).every((word) => typeof word === "string" && word.length <= 253);
  return areWords && typeof count === "number" && Number.isInteger(count) && count >= 0;
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined || text.length > 100_000) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

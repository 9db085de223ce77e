/** What is to be done in one namespace for one generator. Pure. */
import type { KubeObject } from "@shieldx/controller-runtime";
import { ANNOTATION, type GeneratedKind, LABEL, MANAGED_BY } from "@shieldx/crds";
import type { GeneratedEntry, RenderedEntry } from "@shieldx/policy-engine";
import { FIELD_MANAGER } from "../../names.ts";

/** An object that is not in step, and why. */
export interface GenerationProblem {
  readonly object: string;
  readonly reason: string;
  readonly message: string;
}

export type GenerationStep =
  | { readonly kind: "create"; readonly of: GeneratedKind; readonly desired: KubeObject }
  | {
      readonly kind: "keep";
      readonly of: GeneratedKind;
      readonly current: KubeObject;
      readonly desired: KubeObject;
    }
  | { readonly kind: "remove"; readonly of: GeneratedKind; readonly current: KubeObject };

export interface GenerationPlan {
  readonly steps: readonly GenerationStep[];
  readonly problems: readonly GenerationProblem[];
  /** Objects that are left as they are and count as in step. */
  readonly settled: number;
}

/** An object of a generated kind that bears the label of some generator. */
export interface PresentObject {
  readonly of: GeneratedKind;
  readonly object: KubeObject;
}

export interface GenerationView {
  readonly generator: string;
  readonly namespace: string;
  /** Nothing where the namespace does not match. */
  readonly wanted: readonly RenderedEntry[];
  /** In this namespace, of all generators. */
  readonly present: readonly PresentObject[];
}

/**
 * Ours is what we have written and still bears the generator's label. The label alone may have come with a copy of an object of
 * ours; our entry in managedFields alone is left on what somebody took over.
 */
export function isOurs({ metadata }: KubeObject, generator: string): boolean {
  return (
    metadata.labels?.[LABEL.generator] === generator &&
    metadata.managedFields?.some(({ manager }) => manager === FIELD_MANAGER.generation) === true
  );
}

export function describeEntry({ kind, objectName }: Pick<GeneratedEntry, "kind" | "objectName">): string {
  return `${kind.kind} ${objectName}`;
}

export function planNamespace({ generator, namespace, wanted, present }: GenerationView): GenerationPlan {
  const steps: GenerationStep[] = [];
  const problems: GenerationProblem[] = [];
  let settled = 0;
  const idOf = (kind: GeneratedKind, name: string): string => `${kind.kind}/${name}`;
  const byId = new Map(present.map((each) => [idOf(each.of, each.object.metadata.name), each.object]));
  for (const entry of wanted) {
    const current = byId.get(idOf(entry.kind, entry.objectName));
    if (entry.object === undefined) {
      const { problem = "an expression has no value" } = entry;
      problems.push({ object: describeEntry(entry), reason: "EvaluationError", message: problem });
    } else if (current === undefined) {
      steps.push({ kind: "create", of: entry.kind, desired: desiredObject(entry, generator, namespace) });
    } else if (!isOurs(current, generator)) {
      problems.push(notOurs(entry, current));
    } else if (!entry.synchronize && current.metadata.annotations?.[ANNOTATION.synchronize] === "false") {
      settled++;
    } else {
      const desired = desiredObject(entry, generator, namespace);
      steps.push({ kind: "keep", of: entry.kind, current, desired });
    }
  }
  const kept = new Set(wanted.map((entry) => idOf(entry.kind, entry.objectName)));
  for (const { of, object } of present) {
    if (kept.has(idOf(of, object.metadata.name)) || !isOurs(object, generator)) continue;
    // What was made once belongs to the namespace.
    if (object.metadata.annotations?.[ANNOTATION.synchronize] === "false") continue;
    steps.push({ kind: "remove", of, current: object });
  }
  return { steps, problems, settled };
}

function notOurs(entry: RenderedEntry, { metadata }: KubeObject): GenerationProblem {
  const other = metadata.labels?.[LABEL.generator];
  const message =
    `it is ShieldGenerator "${other}"'s, or a copy of an object of one (label ${LABEL.generator}), and is left alone: give ` +
    "the entry another metadata.name, or delete the object";
  return { object: describeEntry(entry), reason: "NotOurs", message };
}

/** What there is already without our label. */
export function existsAlready(object: string, generator: string): GenerationProblem {
  const message =
    "exists already and was not made by this generator, so it is left alone: delete it, give the entry another metadata.name, or, " +
    `if it was made here and taken over, put the label ${LABEL.generator}=${generator} back`;
  return { object, reason: "NotOurs", message };
}

/** The object as it is written into a namespace: with what says whose it is. */
export function desiredObject(
  { name, kind, objectName, synchronize, object = {} }: RenderedEntry,
  generator: string,
  namespace: string,
): KubeObject {
  const { metadata, ...rest } = object as { readonly metadata?: Readonly<Record<string, unknown>> };
  const { labels, annotations } = (metadata ?? {}) as Pick<KubeObject["metadata"], "labels" | "annotations">;
  return {
    ...rest,
    apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
    kind: kind.kind,
    metadata: {
      name: objectName,
      namespace,
      labels: { ...labels, [LABEL.managedBy]: MANAGED_BY, [LABEL.generator]: generator },
      annotations: {
        ...annotations,
        [ANNOTATION.generated]: name,
        ...(synchronize ? {} : { [ANNOTATION.synchronize]: "false" }),
      },
    },
  };
}

import { setCondition } from "@shieldx/controller-runtime";
import { type Condition, MAX_GENERATOR_PROBLEMS, type ShieldGeneratorStatus } from "@shieldx/crds";
import type { GeneratorStanding } from "./standings.ts";

/** Fields of a ShieldGenerator's status. */
export const GENERATOR_STATUS_FIELDS = [
  "observedGeneration",
  "conditions",
  "namespaces",
  "objects",
  "inStep",
  "problems",
];

export interface GeneratorObservation {
  readonly generation: number;
  readonly previous: ShieldGeneratorStatus | undefined;
  /** Why it is not understood; what it was before is then left as it is. */
  readonly compileError: string | undefined;
  readonly standing: GeneratorStanding;
}

export function generatorStatus(observed: GeneratorObservation, now: number): ShieldGeneratorStatus {
  const { generation, previous, standing, compileError } = observed;
  const ready = { type: "Ready", observedGeneration: generation, ...readyOf(standing, compileError) };
  const conditions = setCondition(previous?.conditions ?? [], ready, now) as Condition[];
  const status = { observedGeneration: generation, conditions };
  // Of one that is not understood nothing is known.
  if (compileError !== undefined) return status;
  const problems = standing.problems.slice(0, MAX_GENERATOR_PROBLEMS).map((problem) => ({
    namespace: problem.namespace,
    ...(problem.object === "" ? {} : { object: problem.object.slice(0, 400) }),
    reason: problem.reason,
    message: problem.message.slice(0, 1024).toWellFormed(),
  }));
  return {
    ...status,
    namespaces: standing.namespaces,
    objects: standing.objects,
    inStep: standing.inStep,
    ...(problems.length === 0 ? {} : { problems }),
  };
}

function readyOf(
  { namespaces, objects, inStep, pending, problems }: GeneratorStanding,
  compileError: string | undefined,
): Pick<Condition, "status" | "reason" | "message"> {
  if (compileError !== undefined) {
    const message = `${compileError}. What the version before has made stays as it is`;
    return { status: "False", reason: "NotCompiled", message: message.slice(0, 4096).toWellFormed() };
  }
  // What stands in the way everywhere goes first.
  const first = problems.find(({ reason }) => reason === "MissingRights") ?? problems[0];
  if (first !== undefined) {
    const { namespace, object, reason, message } = first;
    const which = `${object === "" ? "" : `${object} in `}namespace ${namespace}`;
    const told = `${objects - inStep} of ${objects} objects are not in step; ${which}: ${message}`;
    return { status: "False", reason, message: told.slice(0, 4096).toWellFormed() };
  }
  if (pending > 0)
    return { status: "False", reason: "Working", message: `${pending} namespaces are still to be looked at` };
  return {
    status: "True",
    reason: "InStep",
    message: `${objects} objects in ${namespaces} namespaces are as they should be`,
  };
}

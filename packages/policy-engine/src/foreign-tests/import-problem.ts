/** Why a policy of others cannot be held against anything, and in which few words cases like it are counted. */
import type { Imported, Note, ObjectName } from "../foreign/index.ts";
import type { HeldPolicies } from "./held.ts";
import { noVerdict, type Said } from "./outcome.ts";

/** Undefined where there is something to hold. */
export function importProblem(
  { policies, notes, left }: Imported,
  { problems }: HeldPolicies,
): Said | undefined {
  const [problem] = problems.values();
  if (problem !== undefined) return noVerdict(problem, "the imported policy does not compile");
  if (policies.length > 0) return undefined;
  const error = notes.find(({ severity }) => severity === "error") ?? notes[0];
  if (error !== undefined) return noVerdict(`it is not imported: ${placed(error)}`, classOf(error));
  const [unknown] = left;
  return unknown === undefined ? noVerdict("nothing came of its import") : unknownKind(unknown);
}

/** Of a policy that nobody imports. */
export function unknownKind({ kind, apiVersion }: ObjectName): Said {
  return noVerdict(`${kind} of ${apiVersion} is not carried over`, kind);
}

/** What was lost on the way, which explains what does not come out as expected. */
export function unsupportedBy({ notes }: Imported): string | undefined {
  return notes.find(({ severity }) => severity === "lost")?.message;
}

function placed({ path, message }: Note): string {
  return path === "" ? message : `${path}: ${message}`;
}

function classOf({ message }: Note): string {
  const own = /([\w.]+)(?:\(\))? is Kyverno's own/.exec(message)?.[1];
  const unknown = own ?? /undeclared reference to '(\w+)'/.exec(message)?.[1];
  if (unknown === undefined) return message;
  return unknown === "variables" ? "variables in matchConditions" : `functions of Kyverno: ${unknown}`;
}

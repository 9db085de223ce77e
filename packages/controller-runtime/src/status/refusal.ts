import { ApiError, describeRequest } from "../transport/api-error.ts";

/** Why the API server did not take a write, as a condition's `reason`. Stable: people and alerts match on them. */
export type RefusalReason =
  | "FieldConflict"
  | "ImmutableField"
  | "KindNotInstalled"
  | "MissingRights"
  | "NamespaceMissing"
  | "NamespaceTerminating"
  | "ObjectChanged"
  | "ObjectReplaced"
  | "ObjectTooLarge"
  | "QuotaExceeded"
  | "RefusedByAdmission"
  | "RefusedByServer";

/** A write that the API server refused, in words for a condition: what happened, to which object, what to do. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
  /**
   * The object is another one, or in another state, than the one that was looked at: looking again settles it, and
   * a person has nothing to do unless it lasts.
   */
  readonly isPassing: boolean;
}

/**
 * Reads an error as a refusal that lasts until somebody does something about it. undefined for what trying again may
 * mend by itself: a server that is busy, restarting or out of reach, and anything that is no answer of it.
 */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const found = concluded(error);
  if (found === undefined) return undefined;
  const { reason, what, remedy, isPassing = false } = found;
  const message = `cannot ${describeRequest(error.request)}: ${what}`;
  return { reason, message: remedy === undefined ? message : `${message}: ${remedy}`, isPassing };
}

/** Whether an apply that carried a uid met another object of that name, or none: it was deleted meanwhile. */
export function isReplaced(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  if (error.code === 409) return /uid mismatch|UID in precondition/.test(error.message);
  return error.code === 422 && causesOf(error).some(({ field }) => field === "metadata.uid");
}

interface Found {
  readonly reason: RefusalReason;
  readonly what: string;
  readonly remedy?: string;
  readonly isPassing?: boolean;
}

function concluded(error: ApiError): Found | undefined {
  const words = oneLine(error.status.message ?? error.message);
  // etcd's own limit (1.5 MiB) has no reason of its own: it comes as an internal error.
  if (error.code === 413 || (error.code === 500 && /request is too large|larger than max/.test(words))) {
    const remedy = "make it smaller; the API server stores at most 1.5 MiB for each object";
    return { reason: "ObjectTooLarge", what: `the object is too large (${words})`, remedy };
  }
  if (isReplaced(error)) {
    const what = "it was deleted, or deleted and made anew, in the meantime";
    return { reason: "ObjectReplaced", what, isPassing: true };
  }
  switch (error.code) {
    case 400:
      return { reason: "RefusedByServer", what: words };
    case 403:
      return forbidden(error, words);
    case 404:
      return missing(error, words);
    case 409:
      return conflict(error, words);
    case 422:
      return invalid(error, words);
    default:
      return undefined;
  }
}

function forbidden(error: ApiError, words: string): Found {
  if (causesOf(error).some(({ reason }) => reason === "NamespaceTerminating")) {
    return { reason: "NamespaceTerminating", what: "the namespace is being deleted" };
  }
  const quota = /exceeded quota: .*/.exec(words)?.[0];
  if (quota !== undefined) {
    return {
      reason: "QuotaExceeded",
      what: quota,
      remedy: "raise that ResourceQuota or delete what fills it",
    };
  }
  const right = /User "([^"]*)" (cannot .*)/.exec(words);
  if (right !== null) {
    const remedy = "grant the right; roles are part of the installation";
    return { reason: "MissingRights", what: `${right[1]} ${right[2]}`, remedy };
  }
  return refusedByAdmission(words) ?? { reason: "MissingRights", what: words };
}

function missing(error: ApiError, words: string): Found | undefined {
  if (error.details?.kind === "namespaces") return { reason: "NamespaceMissing", what: words };
  // An object that is gone is named; a kind that the server does not know is not.
  if (error.details?.name !== undefined) return undefined;
  const what = `the API server does not know ${error.request.resource}`;
  return { reason: "KindNotInstalled", what, remedy: "install its CustomResourceDefinition" };
}

function conflict(error: ApiError, words: string): Found {
  const conflicts = causesOf(error).filter(({ reason }) => reason === "FieldManagerConflict");
  if (conflicts.length === 0) return { reason: "ObjectChanged", what: words, isPassing: true };
  const fields = listed(conflicts.map(({ field = "?" }) => field));
  const managers = conflicts.map(({ message = "" }) => /with "([^"]*)"/.exec(message)?.[1] ?? message);
  const what = `${fields} set by ${listed(managers.map((name) => `"${name}"`))}`;
  const remedy = "have that manager give the fields up, or delete or rename its object";
  return { reason: "FieldConflict", what: `its fields are somebody else's: ${what}`, remedy };
}

function invalid(error: ApiError, words: string): Found {
  const admission = refusedByAdmission(words);
  if (admission !== undefined) return admission;
  const fixed = causesOf(error).filter(({ message = "" }) => /immutable|cannot be changed/i.test(message));
  if (fixed.length > 0) {
    const what = `${listed(fixed.map(({ field = "?" }) => field))} cannot be changed (${words})`;
    const remedy = "delete the object, and it is made anew as it should be";
    return { reason: "ImmutableField", what, remedy };
  }
  const tooLong = causesOf(error).some(
    ({ reason, message = "" }) => reason === "FieldValueTooLong" && message.includes("bytes"),
  );
  if (tooLong) return { reason: "ObjectTooLarge", what: words, remedy: "make it smaller" };
  return { reason: "RefusedByServer", what: words };
}

function refusedByAdmission(words: string): Found | undefined {
  if (!/denied (the )?request/.test(words)) return undefined;
  const remedy = "let that policy or webhook pass what this controller writes";
  return { reason: "RefusedByAdmission", what: words, remedy };
}

function causesOf(error: ApiError) {
  return error.details?.causes ?? [];
}

/** At most five of them. */
function listed(names: readonly string[]): string {
  const distinct = [...new Set(names)];
  const shown = distinct.slice(0, 5).join(", ");
  return distinct.length > 5 ? `${shown} and ${distinct.length - 5} more` : shown;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= 1000 ? line : `${line.slice(0, 999)}…`;
}

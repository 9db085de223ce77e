import { isJsonRecord, type JsonRecord, jsonEquals, ownValue } from "../cel/kubernetes/json.ts";

/**
 * What identifies an object, and what the API server keeps itself: it would ignore a change, or refuse the request in
 * words that do not name the policy.
 */
const identity = ["apiVersion", "kind"] as const;
const ofServer = [
  ...["name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"],
  ...["deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"],
] as const;

/** The first field that a mutation changed and may not; undefined when there is none. */
export function untouchableChange(
  before: JsonRecord,
  after: JsonRecord,
  subresource: string,
): string | undefined {
  const differs = (a: JsonRecord, b: JsonRecord, key: string): boolean =>
    !jsonEquals(ownValue(a, key) ?? null, ownValue(b, key) ?? null);
  const top = identity.find((key) => differs(before, after, key));
  if (top !== undefined) return top;
  const [metadata, changed] = [metadataOf(before), metadataOf(after)];
  const field = ofServer.find((key) => differs(metadata, changed, key));
  if (field !== undefined) return `metadata.${field}`;
  return subresource !== "status" && differs(before, after, "status") ? "status" : undefined;
}

function metadataOf(object: JsonRecord): JsonRecord {
  const metadata = ownValue(object, "metadata");
  return isJsonRecord(metadata) ? metadata : {};
}

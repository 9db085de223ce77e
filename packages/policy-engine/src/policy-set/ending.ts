/**
 * What an update may change in an object that is being deleted without being judged: for the webhook in code, for the
 * API server in the words of native/must-pass.ts.
 */
import { isJsonRecord, type Json, type JsonRecord, jsonEquals, ownValue } from "../cel/kubernetes/json.ts";

/** Of the object. `metadata` has rules of its own. */
export const unjudgedFields: readonly string[] = ["metadata", "status"];

/** Of its metadata: what holds the object, and what the API server itself keeps. */
export const unjudgedMetadata: readonly string[] = [
  ...["finalizers", "ownerReferences", "managedFields"],
  ...["resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"],
];

/** What is in these may go: controllers drop their own marks together with their finalizer. They configure others: nothing may come. */
export const onlyShrinking: readonly string[] = ["labels", "annotations"];

/** Where more than these are left of labels or annotations, and some went, the update is judged without comparing them. */
export const MOST_COMPARED = 1_000;

/** Whether an update of an object that is being deleted does nothing but help it on its way. */
export function onlyEnds(before: Json | undefined, after: Json | undefined): boolean {
  if (!isJsonRecord(before) || !isJsonRecord(after)) return false;
  const { metadata: old } = before;
  const { metadata } = after;
  if (!isJsonRecord(old) || !isJsonRecord(metadata)) return false;
  return (
    keepsFields(before, after) &&
    keepsFields(after, before) &&
    Object.keys(metadata).every((key) => unjudgedMetadata.includes(key) || isKept(key, old, metadata))
  );
}

function keepsFields(from: JsonRecord, to: JsonRecord): boolean {
  return Object.keys(from).every((key) => unjudgedFields.includes(key) || isSame(key, from, to));
}

function isKept(key: string, old: JsonRecord, metadata: JsonRecord): boolean {
  return (
    isSame(key, metadata, old) || (onlyShrinking.includes(key) && isPart(metadata[key], ownValue(old, key)))
  );
}

function isPart(left: Json | undefined, of: Json | undefined): boolean {
  if (!isJsonRecord(left) || !isJsonRecord(of)) return false;
  const names = Object.keys(left);
  return names.length <= MOST_COMPARED && names.every((name) => isSame(name, left, of));
}

/** `key` is one of `one`'s own. */
function isSame(key: string, one: JsonRecord, other: JsonRecord): boolean {
  const value = ownValue(other, key);
  return value !== undefined && jsonEquals(one[key] ?? null, value);
}

/** Names of our own matchConditions, next to the policy's. */
export const NOT_BEING_DELETED = "shieldx.io/not-being-deleted";
export const NO_EXCEPTION = "shieldx.io/no-exception";
export const NOT_NAMESPACE_CLEANUP = "shieldx.io/not-namespace-cleanup";

export const reservedConditions: readonly string[] = [NOT_BEING_DELETED, NO_EXCEPTION, NOT_NAMESPACE_CLEANUP];

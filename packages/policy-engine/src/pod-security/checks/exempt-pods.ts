import type { Judge } from "../check.ts";

/**
 * Windows has no counterpart of some controls, and the API server refuses a Windows Pod that sets their fields;
 * so their absence is no offence there (since v1.25, by `spec.os.name`).
 */
export function exceptOnWindows(judge: Judge): Judge {
  return (pod) => (pod.isWindows ? undefined : judge(pod));
}

/** Root inside a user namespace is nobody on the node (KEP-127; since v1.35 by `spec.hostUsers: false`). */
export function exceptInUserNamespace(judge: Judge): Judge {
  return (pod) => (pod.hasUserNamespace ? undefined : judge(pod));
}

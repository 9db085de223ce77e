/** What a ShieldCleanup may not be about: what a cluster, its access or ShieldX itself hangs on. */
import { NATIVE_ONLY_GROUPS } from "../shieldpolicy/effective.ts";

/** Groups of which nothing is ever deleted. */
export const NEVER_CLEANED_GROUPS: readonly string[] = [
  ...NATIVE_ONLY_GROUPS,
  "certificates.k8s.io",
  "coordination.k8s.io",
  "shieldx.io",
  "storage.k8s.io",
];

/** Kinds of the core group that are never deleted. Whoever lists Secrets reads them. */
export const NEVER_CLEANED_KINDS: readonly string[] = [
  "Node",
  "PersistentVolume",
  "Secret",
  "ServiceAccount",
];

export interface CleanupTarget {
  readonly apiVersion: string;
  readonly kind: string;
}

/** Whether objects of this kind may be cleaned up at all. */
export function mayBeCleaned({ apiVersion, kind }: CleanupTarget): boolean {
  const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
  if (group === "") return !NEVER_CLEANED_KINDS.includes(kind);
  return !NEVER_CLEANED_GROUPS.includes(group);
}

const list = (names: readonly string[]): string => `[${names.map((name) => `'${name}'`).join(", ")}]`;

/** {@link mayBeCleaned} in CEL, of `self.apiVersion` and `self.kind`. */
export const MAY_BE_CLEANED_RULE =
  `self.apiVersion.contains('/') ? !(self.apiVersion.split('/')[0] in ${list(NEVER_CLEANED_GROUPS)}) : ` +
  `!(self.kind in ${list(NEVER_CLEANED_KINDS)})`;

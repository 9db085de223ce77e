import type { KubeObject } from "@shieldx/controller-runtime";
import { type Gap, parseShieldPolicy } from "@shieldx/crds";

/** One time in which a policy was not enforced. */
export interface GapRow extends Gap {
  readonly policy: string;
}

/** The gaps of these policies, the latest first. */
export function listGaps(policies: readonly KubeObject[]): GapRow[] {
  return policies
    .map((object) => parseShieldPolicy(object, { unknownFields: "drop" }))
    .flatMap(({ metadata, status }) =>
      (status?.gaps ?? []).map((gap): GapRow => ({ policy: metadata.name, ...gap })),
    )
    .sort((a, b) => Date.parse(b.from) - Date.parse(a.from) || (a.policy < b.policy ? -1 : 1));
}

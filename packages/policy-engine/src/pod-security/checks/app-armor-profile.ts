import {
  byCodePoint,
  containersWhere,
  type PodSecurityCheck,
  plural,
  quoted,
  sortedUnique,
  theSetters,
} from "../check.ts";
import { goQuoted } from "../go-quote.ts";
import type { PodView, SecurityContextView } from "../pod-view.ts";

const annotationPrefix = "container.apparmor.security.beta.kubernetes.io/";

/**
 * The default AppArmor profile may be replaced by a loaded one, never turned off; both in the field
 * (Kubernetes 1.30) and in the older annotation, whichever edition is judged.
 * Pod Security Standards, Baseline, "AppArmor".
 */
export const appArmorProfile: PodSecurityCheck = {
  id: "appArmorProfile",
  level: "baseline",
  editions: [
    {
      sinceMinor: 0,
      judge(pod) {
        const podSetsIt = overridesDefault(pod.securityContext);
        const names = containersWhere(pod, overridesDefault);
        const annotations = badAnnotations(pod);
        if (!podSetsIt && names.length === 0 && annotations.length === 0) return undefined;

        const setters = theSetters(podSetsIt, names);
        const fields = [pod.securityContext, ...pod.containers].filter(overridesDefault);
        const values = sortedUnique(fields.map((context) => context.appArmorType ?? "")).concat(annotations);
        const who = [
          ...(setters === "" ? [] : [setters]),
          ...(annotations.length === 0 ? [] : [plural(annotations.length, "annotation", "annotations")]),
        ].join(" and ");
        return {
          reason: plural(values.length, "forbidden AppArmor profile", "forbidden AppArmor profiles"),
          detail: `${who} must not set AppArmor profile type to ${quoted(values)}`,
        };
      },
    },
  ],
};

function overridesDefault({ appArmorType: type }: SecurityContextView): boolean {
  return type !== undefined && type !== "RuntimeDefault" && type !== "Localhost";
}

function badAnnotations(pod: PodView): string[] {
  const found: string[] = [];
  for (const key of Object.keys(pod.annotations)) {
    if (!key.startsWith(annotationPrefix)) continue;
    const profile = pod.annotations[key];
    if (typeof profile !== "string" || profile === "" || profile === "runtime/default") continue;
    if (!profile.startsWith("localhost/")) found.push(`${key}=${goQuoted(profile)}`);
  }
  return found.sort(byCodePoint);
}

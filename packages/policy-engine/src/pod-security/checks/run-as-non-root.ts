import { containersWhere, type Judge, type PodSecurityCheck, theContainers, theSetters } from "../check.ts";
import { exceptInUserNamespace } from "./exempt-pods.ts";

const reason = "runAsNonRoot != true";

const promised: Judge = (pod) => {
  const podSaysNo = pod.securityContext.runAsNonRoot === false;
  const sayingNo = containersWhere(pod, (container) => container.runAsNonRoot === false);
  if (podSaysNo || sayingNo.length > 0) {
    return {
      reason,
      detail: `${theSetters(podSaysNo, sayingNo)} must not set securityContext.runAsNonRoot=false`,
    };
  }
  if (pod.securityContext.runAsNonRoot === true) return undefined;
  const silent = containersWhere(pod, (container) => container.runAsNonRoot === undefined);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${theContainers(silent)} must set securityContext.runAsNonRoot=true` };
};

/**
 * The kubelet is told to refuse an image that would run as root.
 * Pod Security Standards, Restricted, "Running as Non-root".
 */
export const runAsNonRoot: PodSecurityCheck = {
  id: "runAsNonRoot",
  level: "restricted",
  editions: [
    { sinceMinor: 0, judge: promised },
    { sinceMinor: 35, judge: exceptInUserNamespace(promised) },
  ],
};

import type { PodSecurityCheck } from "../check.ts";

/**
 * A Pod keeps its own network, process and IPC namespaces.
 * Pod Security Standards, Baseline, "Host Namespaces".
 */
export const hostNamespaces: PodSecurityCheck = {
  id: "hostNamespaces",
  level: "baseline",
  editions: [
    {
      sinceMinor: 0,
      judge(pod) {
        if (!pod.hostNetwork && !pod.hostPid && !pod.hostIpc) return undefined;
        const shared: string[] = [];
        if (pod.hostNetwork) shared.push("hostNetwork=true");
        if (pod.hostPid) shared.push("hostPID=true");
        if (pod.hostIpc) shared.push("hostIPC=true");
        return { reason: "host namespaces", detail: shared.join(", ") };
      },
    },
  ],
};

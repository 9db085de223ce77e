import * as z from "zod";
import { subdomain } from "../kubernetes/names.ts";
import { narrowed, setOf, text } from "../structural/fields.ts";

/** Levels of the Pod Security Standards. */
export const POD_SECURITY_LEVELS = ["privileged", "baseline", "restricted"] as const;

/** Checks of the Pod Security Standards, named as upstream names them (k8s.io/pod-security-admission v0.37). */
export const POD_SECURITY_CHECKS = [
  "allowPrivilegeEscalation",
  "appArmorProfile",
  "capabilities_baseline",
  "capabilities_restricted",
  "hostNamespaces",
  "hostPathVolumes",
  "hostPorts",
  "hostProbesAndHostLifecycle",
  "privileged",
  "procMount",
  "procMount_restricted",
  "restrictedVolumes",
  "runAsNonRoot",
  "runAsUser",
  "seLinuxOptions",
  "seccompProfile_baseline",
  "seccompProfile_restricted",
  "sysctls",
  "windowsHostProcess",
] as const;

/** `latest` or a Kubernetes minor version. */
export type PodSecurityVersion = "latest" | `v1.${number}`;

/** `spec.podSecurity`. */
export const podSecurity = z.object({
  level: z
    .enum(POD_SECURITY_LEVELS)
    .describe(
      "Level of the Pod Security Standards: baseline refuses known ways to escalate, restricted also demands hardening, " +
        "privileged allows everything (useful to say so explicitly).",
    ),
  version: narrowed<PodSecurityVersion>(
    text({
      max: 8,
      pattern: /^(latest|v1\.(0|[1-9][0-9]{0,2}))$/,
      hint: "latest or v1.N, e.g. v1.34",
    }),
  )
    .default("latest")
    .describe(
      "Version of the standards to judge by: v1.N pins the checks of that Kubernetes version, latest means the server's " +
        "minor version or the newest ShieldX knows, whichever is lower.",
    ),
  exemptions: z
    .object({
      usernames: setOf(text({ min: 1, max: 512 }).describe("One user name."), { max: 64 })
        .describe(
          "User names whose requests are not judged, e.g. system:serviceaccount:ci:deployer. Controllers create most Pods: " +
            "exempting a person does not exempt the Pods of the Deployment that person creates.",
        )
        .exactOptional(),
      runtimeClassNames: setOf(subdomain().describe("Name of one RuntimeClass."), { max: 64 })
        .describe("RuntimeClasses whose Pods are not judged, e.g. gvisor.")
        .exactOptional(),
      namespaces: setOf(subdomain({ max: 63 }).describe("Name of one namespace."), { max: 256 })
        .describe("Namespaces whose Pods are not judged.")
        .exactOptional(),
    })
    .describe("What is never judged, as in the Pod Security admission plugin's own configuration.")
    .exactOptional(),
});

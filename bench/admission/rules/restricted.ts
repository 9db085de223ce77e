import { containersVariable, everyContainer, everyContext, guarded, ifSet } from "./pod-cel.ts";

/**
 * Pod Security `restricted`, edition v1.37, as sixteen rules for the peers: in CEL for a ValidatingAdmissionPolicy and
 * in Rego for Gatekeeper. Written from the standard (kubernetes.io, "Pod Security Standards"); `verdicts.ts` holds both
 * against the published fixtures before anything is measured.
 */
export interface RestrictedRule {
  readonly name: string;
  readonly message: string;
  /** True when the Pod keeps the rule. `variables` are those of `celVariables`. */
  readonly cel: string;
  /** Bodies of `broken`, each a way to break the rule; `regoPreamble` is in scope. */
  readonly rego: readonly string[];
}

export const celVariables = [
  containersVariable,
  {
    name: "isWindows",
    expression: "has(object.spec.os) && object.spec.os.name == 'windows'",
  },
  {
    name: "hasUserNamespace",
    expression: "has(object.spec.hostUsers) && !object.spec.hostUsers",
  },
] as const;

export const regoPreamble = `
spec := input.review.object.spec

containers[c] { c := spec.containers[_] }
containers[c] { c := spec.initContainers[_] }
containers[c] { c := spec.ephemeralContainers[_] }

contexts[s] { s := spec.securityContext }
contexts[s] { s := containers[_].securityContext }

is_windows { spec.os.name == "windows" }
has_user_namespace { spec.hostUsers == false }
`;

const permittedVolumes = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];
const safeSysctls = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_notsent_lowat",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_slow_start_after_idle",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
];
const containerTypes = ["container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
const handlers = [
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle.postStart",
  "lifecycle.preStop",
];
const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

const list = (values: readonly string[]): string => `[${values.map((v) => `'${v}'`).join(", ")}]`;
const set = (values: readonly string[]): string => `{${values.map((v) => `"${v}"`).join(", ")}}`;

export const restrictedRules: readonly RestrictedRule[] = [
  {
    name: "host-namespaces",
    message: "the Pod must not share namespaces of the host",
    cel: ["hostNetwork", "hostPID", "hostIPC"]
      .map((field) => `(!has(object.spec.${field}) || !object.spec.${field})`)
      .join(" && "),
    rego: ["spec.hostNetwork == true", "spec.hostPID == true", "spec.hostIPC == true"],
  },
  {
    name: "privileged",
    message: "containers must not be privileged",
    cel: everyContainer("securityContext.privileged", (v) => `!${v}`),
    rego: ["containers[_].securityContext.privileged == true"],
  },
  {
    name: "capabilities",
    message: "containers must drop ALL capabilities and add none but NET_BIND_SERVICE",
    cel: `variables.isWindows || variables.containers.all(c, ${guarded("c", "securityContext.capabilities.drop")} && c.securityContext.capabilities.drop.exists(d, d == 'ALL') && (!has(c.securityContext.capabilities.add) || c.securityContext.capabilities.add.all(a, a == 'NET_BIND_SERVICE')))`,
    rego: [
      "not is_windows\n  c := containers[_]\n  not drops_all(c)",
      'not is_windows\n  containers[_].securityContext.capabilities.add[_] != "NET_BIND_SERVICE"',
    ],
  },
  {
    name: "host-path",
    message: "volumes must not be paths of the host",
    cel: "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))",
    rego: ["spec.volumes[_].hostPath"],
  },
  {
    name: "volume-types",
    message: `volumes must be of the types ${permittedVolumes.join(", ")}`,
    cel: `!has(object.spec.volumes) || object.spec.volumes.all(v, ${permittedVolumes.map((type) => `has(v.${type})`).join(" || ")})`,
    rego: [
      `v := spec.volumes[_]\n  types := {t | v[t]; t != "name"}\n  count(types & ${set(permittedVolumes)}) == 0`,
    ],
  },
  {
    name: "host-ports",
    message: "containers must not take ports of the host",
    cel: everyContainer("ports", (v) => `${v}.all(p, !has(p.hostPort) || p.hostPort == 0)`),
    rego: ["containers[_].ports[_].hostPort != 0"],
  },
  {
    name: "host-handlers",
    message: "probes and lifecycle hooks must not name a host",
    cel: `variables.containers.all(c, ${handlers
      .flatMap((handler) =>
        ["httpGet", "tcpSocket"].map((kind) => ifSet("c", `${handler}.${kind}.host`, (v) => `${v} == ''`)),
      )
      .join(" && ")})`,
    rego: handlers.map(
      (handler) => `h := containers[_].${handler}[_]\n  is_object(h)\n  object.get(h, "host", "") != ""`,
    ),
  },
  {
    name: "app-armor",
    message: "AppArmor profiles must be RuntimeDefault or Localhost",
    cel: `${everyContext("appArmorProfile.type", (v) => `${v} in ['RuntimeDefault', 'Localhost']`)} && (!has(object.metadata.annotations) || object.metadata.annotations.all(k, !k.startsWith('${appArmorPrefix}') || object.metadata.annotations[k] in ['', 'runtime/default'] || object.metadata.annotations[k].startsWith('localhost/')))`,
    rego: [
      'type := contexts[_].appArmorProfile.type\n  not {"RuntimeDefault", "Localhost"}[type]',
      `profile := input.review.object.metadata.annotations[key]\n  startswith(key, "${appArmorPrefix}")\n  not {"", "runtime/default"}[profile]\n  not startswith(profile, "localhost/")`,
    ],
  },
  {
    name: "se-linux",
    message: "SELinux options must keep a container type and set neither user nor role",
    cel: [
      everyContext("seLinuxOptions.type", (v) => `${v} in ${list(["", ...containerTypes])}`),
      everyContext("seLinuxOptions.user", (v) => `${v} == ''`),
      everyContext("seLinuxOptions.role", (v) => `${v} == ''`),
    ].join(" && "),
    rego: [
      `type := contexts[_].seLinuxOptions.type\n  not ${set(["", ...containerTypes])}[type]`,
      'contexts[_].seLinuxOptions.user != ""',
      'contexts[_].seLinuxOptions.role != ""',
    ],
  },
  {
    name: "proc-mount",
    message: "/proc must keep its masks",
    cel: everyContainer("securityContext.procMount", (v) => `${v} == 'Default'`),
    rego: ['containers[_].securityContext.procMount != "Default"'],
  },
  {
    name: "seccomp",
    message: "the seccomp profile must be set, to RuntimeDefault or Localhost",
    cel: `variables.isWindows || (${everyContext("seccompProfile.type", (v) => `${v} in ['RuntimeDefault', 'Localhost']`)} && ((${guarded("object.spec", "securityContext.seccompProfile.type")}) || variables.containers.all(c, ${guarded("c", "securityContext.seccompProfile.type")})))`,
    rego: [
      'not is_windows\n  type := contexts[_].seccompProfile.type\n  not {"RuntimeDefault", "Localhost"}[type]',
      "not is_windows\n  not spec.securityContext.seccompProfile.type\n  c := containers[_]\n  not c.securityContext.seccompProfile.type",
    ],
  },
  {
    name: "sysctls",
    message: "only safe sysctls may be set",
    cel: ifSet(
      "object.spec",
      "securityContext.sysctls",
      (v) => `${v}.all(s, s.name in ${list(safeSysctls)})`,
    ),
    rego: [`name := spec.securityContext.sysctls[_].name\n  not ${set(safeSysctls)}[name]`],
  },
  {
    name: "privilege-escalation",
    message: "containers must set allowPrivilegeEscalation to false",
    cel: `variables.isWindows || variables.containers.all(c, ${guarded("c", "securityContext.allowPrivilegeEscalation")} && !c.securityContext.allowPrivilegeEscalation)`,
    rego: ["not is_windows\n  c := containers[_]\n  not forbids_escalation(c)"],
  },
  {
    name: "run-as-non-root",
    message: "runAsNonRoot must be true, for the Pod or for each container",
    cel: `variables.hasUserNamespace || (${everyContext("runAsNonRoot", (v) => v)} && ((${guarded("object.spec", "securityContext.runAsNonRoot")}) || variables.containers.all(c, ${guarded("c", "securityContext.runAsNonRoot")})))`,
    rego: [
      "not has_user_namespace\n  contexts[_].runAsNonRoot == false",
      "not has_user_namespace\n  not spec.securityContext.runAsNonRoot\n  c := containers[_]\n  not c.securityContext.runAsNonRoot",
    ],
  },
  {
    name: "run-as-user",
    message: "runAsUser must not be 0",
    cel: `variables.hasUserNamespace || (${everyContext("runAsUser", (v) => `${v} != 0`)})`,
    rego: ["not has_user_namespace\n  contexts[_].runAsUser == 0"],
  },
  {
    name: "host-process",
    message: "Windows containers must not be HostProcess containers",
    cel: everyContext("windowsOptions.hostProcess", (v) => `!${v}`),
    rego: ["contexts[_].windowsOptions.hostProcess == true"],
  },
];

/** Functions of single rules, kept out of the preamble so that each template holds only what it uses. */
const regoFunctions: Readonly<Record<string, string>> = {
  capabilities: 'drops_all(c) { c.securityContext.capabilities.drop[_] == "ALL" }\n',
  "privilege-escalation": "forbids_escalation(c) { c.securityContext.allowPrivilegeEscalation == false }\n",
};

/** One Rego package with these rules, in the convention of Gatekeeper's templates. */
export function regoModule(name: string, rules: readonly RestrictedRule[]): string {
  const parts = rules.map(
    (rule) =>
      `${regoFunctions[rule.name] ?? ""}${rule.rego
        .map((body) => `violation[{"msg": "${rule.message}"}] {\n  ${body}\n}\n`)
        .join("\n")}`,
  );
  return `package ${name.replaceAll("-", "_")}\n${regoPreamble}\n${parts.join("\n")}`;
}

/**
 * Sixteen rules about Pods, as clusters have them by the hundred: each forbids or demands something for one team,
 * registry, range or name, and so comes in as many variants as are asked for. Every variant looks at the Pod (there is
 * none whose guard makes it free), the typical Pod keeps them all, and each can be broken without breaking another.
 */
import { everyContainer, everyContext, guarded } from "../../admission/rules/pod-cel.ts";
import type { PodChange } from "./pod-change.ts";

export type Parameters = Readonly<Record<string, string | number>>;

/** One variant of a rule. */
export interface RuleTerms {
  /** What the Rego of the base rule reads as `params`. */
  readonly parameters: Parameters;
  readonly message: string;
  /** True when the Pod keeps the rule; `variables.containers` is in scope. */
  readonly cel: string;
  /** Breaks this variant and no other rule. */
  readonly breaking: PodChange;
  /** Comes close and is let in. */
  readonly keeping: PodChange;
}

export interface BaseRule {
  readonly name: string;
  /** Bodies of `violation`, each a way to break the rule; `params`, `resource` and what is in `regoPreamble` are in scope. */
  readonly rego: readonly string[];
  /** Functions that only these bodies call. */
  readonly regoFunctions?: string;
  /** @param n from 1 */
  variant(n: number): RuleTerms;
}

const text = (value: string): string => `'${value}'`;

const linuxCapabilities = [
  ...["AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_OVERRIDE"],
  ...["DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "LEASE", "LINUX_IMMUTABLE"],
  ...["MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BROADCAST", "NET_RAW", "PERFMON"],
  ...["SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO"],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM"],
];

const imageTag = "1.4.2";

export const baseRules: readonly BaseRule[] = [
  {
    name: "privileged",
    rego: [
      "c := containers[_]\n  c.securityContext.privileged == true\n  startswith(c.image, params.prefix)",
    ],
    variant(n) {
      const prefix = `registry.example.com/team-${n}/`;
      const privileged = { allowPrivilegeEscalation: true, privileged: true };
      return {
        parameters: { prefix },
        message: `images of team-${n} must not run privileged`,
        cel: `variables.containers.all(c, !(${guarded("c", "securityContext.privileged")}) || !c.securityContext.privileged || !c.image.startsWith(${text(prefix)}))`,
        breaking: { container: { image: `${prefix}agent:${imageTag}` }, securityContext: privileged },
        keeping: {
          container: { image: `registry.example.com/nodes/agent:${imageTag}` },
          securityContext: privileged,
        },
      };
    },
  },
  {
    name: "capability",
    regoFunctions:
      'drops(c) { c.securityContext.capabilities.drop[_] == "ALL" }\ndrops(c) { c.securityContext.capabilities.drop[_] == params.capability }\n',
    rego: [
      "c := containers[_]\n  not drops(c)",
      "containers[_].securityContext.capabilities.add[_] == params.capability",
    ],
    variant(n) {
      const capability = linuxCapabilities[n - 1] ?? `VENDOR_${n}`;
      const capabilities = "c.securityContext.capabilities";
      return {
        parameters: { capability },
        message: `capability ${capability} must be dropped and not added`,
        cel: `variables.containers.all(c, ${guarded("c", "securityContext.capabilities.drop")} && ${capabilities}.drop.exists(d, d == 'ALL' || d == ${text(capability)}) && (!has(${capabilities}.add) || !(${text(capability)} in ${capabilities}.add)))`,
        breaking: {
          securityContext: { capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE", capability] } },
        },
        keeping: { securityContext: { capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } } },
      };
    },
  },
  {
    name: "host-path",
    rego: ["startswith(spec.volumes[_].hostPath.path, params.prefix)"],
    variant(n) {
      const prefix = `/srv/tenants/${n}/`;
      const volumes = (path: string) => ({
        spec: {
          volumes: [
            { name: "config", configMap: { name: "shop" } },
            { name: "tmp", emptyDir: {} },
            { name: "host", hostPath: { path } },
          ],
        },
      });
      return {
        parameters: { prefix },
        message: `volumes must not be host paths below ${prefix}`,
        cel: `!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath) || !v.hostPath.path.startsWith(${text(prefix)}))`,
        breaking: volumes(`${prefix}data`),
        keeping: volumes("/srv/shared"),
      };
    },
  },
  {
    name: "host-port",
    rego: ["port := containers[_].ports[_].hostPort\n  port >= params.from\n  port <= params.to"],
    variant(n) {
      const [from, to] = [20_000 + 10 * n, 20_009 + 10 * n];
      const ports = (hostPort: number) => ({
        container: { ports: [{ name: "http", containerPort: 8080, hostPort }] },
      });
      return {
        parameters: { from, to },
        message: `ports ${from} to ${to} of the host are taken`,
        cel: everyContainer(
          "ports",
          (v) => `${v}.all(p, !has(p.hostPort) || p.hostPort < ${from} || p.hostPort > ${to})`,
        ),
        breaking: ports(from + 5),
        keeping: ports(8080),
      };
    },
  },
  {
    name: "user-range",
    rego: ["user := contexts[_].runAsUser\n  user >= params.from\n  user <= params.to"],
    variant(n) {
      const [from, to] = [100_000 + 100 * n, 100_099 + 100 * n];
      return {
        parameters: { from, to },
        message: `users ${from} to ${to} are reserved`,
        cel: everyContext("runAsUser", (v) => `(${v} < ${from} || ${v} > ${to})`),
        breaking: { securityContext: { runAsUser: to } },
        keeping: { securityContext: { runAsUser: 65_532 }, podSecurityContext: { runAsUser: 65_532 } },
      };
    },
  },
  {
    name: "sysctl",
    rego: ["spec.securityContext.sysctls[_].name == params.name"],
    variant(n) {
      const name = `net.ipv4.conf.vlan${n}.rp_filter`;
      return {
        parameters: { name },
        message: `sysctl ${name} belongs to the node`,
        cel: `!(${guarded("object.spec", "securityContext.sysctls")}) || object.spec.securityContext.sysctls.all(s, s.name != ${text(name)})`,
        breaking: { podSecurityContext: { sysctls: [{ name, value: "0" }] } },
        keeping: { podSecurityContext: { sysctls: [{ name: "net.ipv4.tcp_syncookies", value: "1" }] } },
      };
    },
  },
  {
    name: "seccomp",
    rego: ["startswith(contexts[_].seccompProfile.localhostProfile, params.prefix)"],
    variant(n) {
      const prefix = `profiles/team-${n}/`;
      const profile = (localhostProfile: string) => ({
        securityContext: { seccompProfile: { type: "Localhost", localhostProfile } },
      });
      return {
        parameters: { prefix },
        message: `seccomp profiles below ${prefix} are drafts`,
        cel: everyContext("seccompProfile.localhostProfile", (v) => `!${v}.startsWith(${text(prefix)})`),
        breaking: profile(`${prefix}web.json`),
        keeping: profile("profiles/audited.json"),
      };
    },
  },
  {
    name: "se-linux",
    rego: ["contexts[_].seLinuxOptions.type == params.type"],
    variant(n) {
      const type = `vendor_${n}_t`;
      return {
        parameters: { type },
        message: `SELinux type ${type} is not for containers`,
        cel: everyContext("seLinuxOptions.type", (v) => `${v} != ${text(type)}`),
        breaking: { podSecurityContext: { seLinuxOptions: { type } } },
        keeping: { podSecurityContext: { seLinuxOptions: { type: "container_t" } } },
      };
    },
  },
  {
    name: "registry",
    rego: ["startswith(containers[_].image, params.registry)"],
    variant(n) {
      const registry = `mirror-${n}.example.net/`;
      return {
        parameters: { registry },
        message: `registry ${registry} is no longer maintained`,
        cel: `variables.containers.all(c, !c.image.startsWith(${text(registry)}))`,
        breaking: { container: { image: `${registry}shop:${imageTag}` } },
        keeping: { container: { image: `mirror.example.net/shop:${imageTag}` } },
      };
    },
  },
  {
    name: "image-tag",
    rego: ["endswith(containers[_].image, params.tag)"],
    variant(n) {
      const tag = `:0.${n}.0-rc`;
      return {
        parameters: { tag },
        message: `images of release ${tag} must not be deployed`,
        cel: `variables.containers.all(c, !c.image.endsWith(${text(tag)}))`,
        breaking: { container: { image: `docker.io/local/shop${tag}` } },
        keeping: { container: { image: "docker.io/local/shop:1.5.0-rc" } },
      };
    },
  },
  {
    name: "memory-class",
    rego: [
      "bytes := units.parse_bytes(containers[_].resources.limits.memory)\n  bytes >= units.parse_bytes(params.from)\n  bytes <= units.parse_bytes(params.to)",
    ],
    variant(n) {
      const [from, to] = [`${100 + 2 * n}Gi`, `${101 + 2 * n}Gi`];
      const limit = (memory: string) => ({
        container: { resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory } } },
      });
      return {
        parameters: { from, to },
        message: `memory limits from ${from} to ${to} are for the large nodes only`,
        cel: everyContainer(
          "resources.limits.memory",
          (v) =>
            `(quantity(${v}).isLessThan(quantity(${text(from)})) || quantity(${v}).isGreaterThan(quantity(${text(to)})))`,
        ),
        breaking: limit(from),
        keeping: limit("16Gi"),
      };
    },
  },
  {
    name: "environment",
    rego: ["e := containers[_].env[_]\n  e.name == params.name\n  e.value"],
    variant(n) {
      const name = `SERVICE_${n}_TOKEN`;
      return {
        parameters: { name },
        message: `variable ${name} must come from a Secret`,
        cel: everyContainer("env", (v) => `${v}.all(e, e.name != ${text(name)} || !has(e.value))`),
        breaking: {
          container: {
            env: [
              { name: "LOG_LEVEL", value: "info" },
              { name, value: "s3cret" },
            ],
          },
        },
        keeping: {
          container: { env: [{ name, valueFrom: { secretKeyRef: { name: "shop", key: "token" } } }] },
        },
      };
    },
  },
  {
    name: "app-label",
    rego: ['regex.match(params.pattern, resource.metadata.labels["app.kubernetes.io/name"])'],
    variant(n) {
      const pattern = `^(old|legacy)-app-${n}(-[a-z0-9]+)?$`;
      const label = "app.kubernetes.io/name";
      const at = `object.metadata.labels['${label}']`;
      return {
        parameters: { pattern },
        message: `the application legacy-app-${n} is retired`,
        cel: `!has(object.metadata.labels) || !('${label}' in object.metadata.labels) || !${at}.matches(${text(pattern)})`,
        breaking: { labels: { [label]: `legacy-app-${n}-web` } },
        keeping: { labels: { [label]: `app-${n}-legacy` } },
      };
    },
  },
  {
    name: "annotation",
    rego: ["some key\n  resource.metadata.annotations[key]\n  startswith(key, params.prefix)"],
    variant(n) {
      const prefix = `team-${n}.example.com/`;
      return {
        parameters: { prefix },
        message: `annotations ${prefix} are set by a controller`,
        cel: `!has(object.metadata.annotations) || object.metadata.annotations.all(k, !k.startsWith(${text(prefix)}))`,
        breaking: { annotations: { [`${prefix}owner`]: "shop" } },
        keeping: { annotations: { "example.com/owner": `team-${n}` } },
      };
    },
  },
  {
    name: "toleration",
    rego: ["spec.tolerations[_].key == params.key"],
    variant(n) {
      const key = `pool-${n}.example.com/reserved`;
      const tolerate = (tolerated: string) => ({
        spec: { tolerations: [{ key: tolerated, operator: "Exists", effect: "NoSchedule" }] },
      });
      return {
        parameters: { key },
        message: `pool-${n} is reserved: it must not be tolerated`,
        cel: `!has(object.spec.tolerations) || object.spec.tolerations.all(t, !has(t.key) || t.key != ${text(key)})`,
        breaking: tolerate(key),
        keeping: tolerate("example.com/spot"),
      };
    },
  },
  {
    name: "secret",
    rego: [
      "spec.volumes[_].secret.secretName == params.secret",
      "containers[_].env[_].valueFrom.secretKeyRef.name == params.secret",
    ],
    variant(n) {
      const secret = `vault-root-${n}`;
      const use = (name: string) => ({
        container: { env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name, key: "password" } } }] },
      });
      return {
        parameters: { secret },
        message: `Secret ${secret} is for the vault alone`,
        cel: `(!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.secret) || v.secret.secretName != ${text(secret)})) && ${everyContainer(
          "env",
          (v) =>
            `${v}.all(e, !(${guarded("e", "valueFrom.secretKeyRef.name")}) || e.valueFrom.secretKeyRef.name != ${text(secret)})`,
        )}`,
        breaking: use(secret),
        keeping: use(`vault-${100_000}`),
      };
    },
  },
];

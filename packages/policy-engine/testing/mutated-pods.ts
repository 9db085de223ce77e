import { Random } from "./random.ts";
import type { FixturePod, UpstreamFixture } from "./upstream-fixtures.ts";

/** A question for both evaluators. */
export interface PodQuestion {
  readonly seed: number;
  readonly level: "baseline" | "restricted";
  readonly version: "latest" | `v1.${number}`;
  readonly podMetadata: unknown;
  readonly podSpec: unknown;
}

type Fields = Record<string, unknown>;

/** A fixture changed in one to eight places, each change valid by the types of the Pod API. */
export function mutatedPod(fixtures: readonly UpstreamFixture[], seed: number): PodQuestion {
  const random = new Random(seed);
  const fixture = random.pick(fixtures);
  const pod = structuredClone(fixture.pod) as FixturePod;
  const changes = 1 + random.below(8);
  for (let i = 0; i < changes; i++) random.pick(mutations)(pod, random);
  giveVolumesASource(pod.spec);
  return {
    seed,
    level: random.pick(["baseline", "restricted"]),
    version: random.chance(0.05)
      ? random.pick(["latest", "v1.38", "v1.200"] as const)
      : `v1.${random.below(38)}`,
    podMetadata: pod.metadata,
    podSpec: pod.spec,
  };
}

type Mutation = (pod: FixturePod, random: Random) => void;

const oddStrings = [
  "",
  "x",
  'quo"te',
  "back\\slash",
  "tab\there",
  "ünïcode",
  "\u{1f600}",
  "\u200b",
  "\uffff",
  "Default",
];
const booleans = [true, false, null];
const profileTypes = ["RuntimeDefault", "Localhost", "Unconfined", "", "runtimeDefault", null];
const capabilities = [
  "ALL",
  "NET_BIND_SERVICE",
  "CHOWN",
  "NET_RAW",
  "SYS_ADMIN",
  "KILL",
  "all",
  "CAP_KILL",
  "SETUID",
];
const sysctls = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_notsent_lowat",
  "net.ipv4.tcp_slow_start_after_idle",
  "kernel.msgmax",
  "net.core.somaxconn",
  "",
];
const seLinuxTypes = [
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
  "spc_t",
  null,
];
const volumeSources: Fields = {
  configMap: { name: "c" },
  csi: { driver: "d" },
  downwardAPI: { items: [] },
  emptyDir: {},
  ephemeral: {},
  image: { reference: "r" },
  persistentVolumeClaim: { claimName: "c" },
  projected: {},
  secret: { secretName: "s" },
  hostPath: { path: "/" },
  gcePersistentDisk: { pdName: "p" },
  awsElasticBlockStore: { volumeID: "v" },
  gitRepo: { repository: "r" },
  nfs: { server: "s", path: "/" },
  iscsi: { targetPortal: "t", iqn: "i", lun: 1 },
  glusterfs: { endpoints: "e", path: "p" },
  rbd: { monitors: ["m"], image: "i" },
  flexVolume: { driver: "d" },
  cinder: { volumeID: "v" },
  cephfs: { monitors: ["m"] },
  flocker: { datasetName: "d" },
  fc: { lun: 1 },
  azureFile: { secretName: "s", shareName: "s" },
  vsphereVolume: { volumePath: "v" },
  quobyte: { registry: "r", volume: "v" },
  azureDisk: { diskName: "d", diskURI: "u" },
  photonPersistentDisk: { pdID: "p" },
  portworxVolume: { volumeID: "v" },
  scaleIO: { gateway: "g", system: "s", secretRef: {} },
  storageos: { volumeName: "v" },
};
const annotationKeys = [
  "container.apparmor.security.beta.kubernetes.io/container1",
  "container.apparmor.security.beta.kubernetes.io/absent",
  "container.apparmor.security.beta.kubernetes.io/",
  "container.seccomp.security.alpha.kubernetes.io/container1",
  "container.seccomp.security.alpha.kubernetes.io/initcontainer1",
  "container.seccomp.security.alpha.kubernetes.io/absent",
  "seccomp.security.alpha.kubernetes.io/pod",
  "seccomp.security.alpha.kubernetes.io/pods",
  "example.com/unrelated",
];
const annotationValues = [
  "runtime/default",
  "docker/default",
  "localhost/p",
  "localhost",
  "unconfined",
  ...oddStrings,
];

const mutations: readonly Mutation[] = [
  ({ spec }, random) => set(spec, random.pick(["hostNetwork", "hostPID", "hostIPC"]), random.pick(booleans)),
  ({ spec }, random) => set(spec, "hostUsers", random.pick([true, false, false, null, undefined])),
  ({ spec }, random) =>
    set(spec, "os", random.pick([{ name: "windows" }, { name: "linux" }, {}, null, undefined])),
  ({ spec }, random) => changeSecurityContext(child(spec, "securityContext"), random),
  ({ spec }, random) => {
    const context = child(spec, "securityContext");
    context.sysctls = some(random, 3, () => ({ name: random.pick(sysctls), value: "1" }));
  },
  ({ spec }, random) => {
    spec.volumes = some(random, 4, (i) => ({
      name: random.pick([`v${i}`, ...oddStrings]),
      ...volumeSource(random),
    }));
  },
  ({ metadata }, random) => {
    child(metadata, "annotations")[random.pick(annotationKeys)] = random.pick([...annotationValues, null]);
  },
  ({ spec }, random) => addContainer(spec, random),
  ({ spec }, random) => {
    const list = spec[random.pick(["containers", "initContainers", "ephemeralContainers"])];
    if (Array.isArray(list) && list.length > 0) list.splice(random.below(list.length), 1);
  },
  ({ spec }, random) => set(spec, "securityContext", random.pick([undefined, null, {}])),
  ...Array.from({ length: 8 }, (): Mutation => changeContainer),
];

function changeContainer({ spec }: FixturePod, random: Random): void {
  const containers = ["containers", "initContainers", "ephemeralContainers"].flatMap(
    (key) => spec[key] ?? [],
  );
  if (containers.length === 0) return;
  const container = random.pick(containers) as Fields;
  random.pick(containerMutations)(container, random);
}

const containerMutations: readonly ((container: Fields, random: Random) => void)[] = [
  (container, random) => changeSecurityContext(child(container, "securityContext"), random),
  (container, random) => changeSecurityContext(child(container, "securityContext"), random),
  (container, random) => set(container, "securityContext", random.pick([undefined, null, {}])),
  (container, random) => set(child(container, "securityContext"), "privileged", random.pick(booleans)),
  (container, random) =>
    set(child(container, "securityContext"), "allowPrivilegeEscalation", random.pick([...booleans, false])),
  (container, random) =>
    set(
      child(container, "securityContext"),
      "procMount",
      random.pick(["Default", "Unmasked", "", "default", null]),
    ),
  (container, random) => {
    child(container, "securityContext").capabilities = random.pick([
      null,
      {},
      { add: some(random, 3, () => random.pick(capabilities)) },
      { drop: some(random, 2, () => random.pick(capabilities)) },
      { drop: ["ALL"], add: some(random, 2, () => random.pick(capabilities)) },
    ]);
  },
  (container, random) => {
    container.ports = some(random, 3, () => ({
      containerPort: 80,
      hostPort: random.pick([0, 8080, 80, 443, 9, null, undefined]),
    }));
  },
  (container, random) =>
    set(container, random.pick(["livenessProbe", "readinessProbe", "startupProbe"]), handler(random)),
  (container, random) =>
    set(
      container,
      "lifecycle",
      random.pick([null, {}, { [random.pick(["postStart", "preStop"])]: handler(random) }]),
    ),
  (container, random) => set(container, "name", random.pick(["container1", "other", ...oddStrings])),
];

const securityContextFields: readonly ((random: Random) => readonly [string, unknown])[] = [
  (random) => ["runAsNonRoot", random.pick(booleans)],
  (random) => ["runAsUser", random.pick([0, 0, 1, 1000, -1, null, undefined])],
  (random) => ["seccompProfile", random.pick([null, {}, { type: random.pick(profileTypes) }])],
  (random) => ["appArmorProfile", random.pick([null, {}, { type: random.pick(profileTypes) }])],
  (random) => ["windowsOptions", random.pick([null, {}, { hostProcess: random.pick(booleans) }])],
  (random) => [
    "seLinuxOptions",
    {
      type: random.pick(seLinuxTypes),
      user: random.pick([undefined, "", "user"]),
      role: random.pick([undefined, "", null, "role"]),
    },
  ],
];

function changeSecurityContext(context: Fields, random: Random): void {
  const [key, value] = random.pick(securityContextFields)(random);
  set(context, key, value);
}

function handler(random: Random): Fields | null {
  const host = random.pick([undefined, null, "", "127.0.0.1", "b.example", "a.example", "::1"]);
  return random.pick([
    null,
    {},
    { exec: { command: ["true"] } },
    { httpGet: { port: 80, host } },
    { tcpSocket: { port: 80, host } },
    { httpGet: { port: 80, host: "both" }, tcpSocket: { port: 80, host } },
  ]);
}

function volumeSource(random: Random): Fields {
  const names = some(random, random.chance(0.1) ? 2 : 1, () => random.pick(Object.keys(volumeSources)));
  return Object.fromEntries(names.map((name) => [name, random.chance(0.05) ? null : volumeSources[name]]));
}

function addContainer(spec: Fields, random: Random): void {
  const key = random.pick(["containers", "initContainers", "ephemeralContainers"]);
  const list = Array.isArray(spec[key]) ? spec[key] : [];
  spec[key] = list;
  const container: Fields = {
    name: random.pick(["b", "a", "container1", ...oddStrings]),
    image: "registry.k8s.io/pause",
  };
  if (random.chance(0.5)) {
    container.securityContext = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    };
  }
  list.push(container);
}

/** The API server makes a volume without a source an emptyDir before anyone judges it. */
function giveVolumesASource(spec: Fields): void {
  for (const volume of (spec.volumes ?? []) as Fields[]) {
    const hasSource = Object.entries(volume).some(([key, value]) => key !== "name" && value !== null);
    if (!hasSource) volume.emptyDir = {};
  }
}

function some<T>(random: Random, most: number, make: (index: number) => T): T[] {
  return Array.from({ length: random.below(most + 1) }, (_, i) => make(i));
}

function set(object: Fields, key: string, value: unknown): void {
  if (value === undefined) delete object[key];
  else object[key] = value;
}

function child(object: Fields, key: string): Fields {
  const existing = object[key];
  if (typeof existing === "object" && existing !== null) return existing as Fields;
  const made: Fields = {};
  object[key] = made;
  return made;
}

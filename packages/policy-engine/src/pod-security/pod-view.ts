import { isJsonObject, type JsonObject, ShapeReader } from "./shape-reader.ts";

/**
 * What the standards look at in a Pod, read once and typed. `undefined` is a field that is not set; the
 * difference between unset and `false`, `0` or `""` decides many checks.
 */
export interface PodView {
  readonly annotations: JsonObject;
  readonly isWindows: boolean;
  /** `hostUsers: false`: the Pod has a user namespace of its own. */
  readonly hasUserNamespace: boolean;
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  readonly runtimeClassName: string | undefined;
  readonly securityContext: SecurityContextView;
  readonly sysctls: readonly string[];
  readonly volumes: readonly VolumeView[];
  /** Init containers, then containers, then ephemeral containers. */
  readonly containers: readonly ContainerView[];
}

/** The fields a Pod's and a container's securityContext have in common. */
export interface SecurityContextView {
  readonly runAsNonRoot: boolean | undefined;
  readonly runAsUser: number | undefined;
  /** `seccompProfile.type`; `""` when the profile is there and its type is not. */
  readonly seccompType: string | undefined;
  /** `appArmorProfile.type`, likewise. */
  readonly appArmorType: string | undefined;
  readonly seLinux: SeLinuxView | undefined;
  readonly windowsHostProcess: boolean | undefined;
}

export interface SeLinuxView {
  readonly type: string;
  readonly user: string;
  readonly role: string;
}

export interface ContainerView extends SecurityContextView {
  readonly name: string;
  readonly privileged: boolean | undefined;
  readonly allowPrivilegeEscalation: boolean | undefined;
  readonly procMount: string | undefined;
  readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] } | undefined;
  readonly hostPorts: readonly number[];
  /** `host` of every HTTP and TCP handler of its probes and lifecycle hooks, where set. */
  readonly handlerHosts: readonly string[];
}

export interface VolumeView {
  readonly name: string;
  /** The volume's fields that are set, but for its name. None at all means an emptyDir, as the API server defaults. */
  readonly sources: ReadonlySet<string>;
}

export type PodReading =
  | { readonly pod: PodView; readonly problems?: undefined }
  | { readonly pod?: undefined; readonly problems: readonly string[] };

/** Reads a Pod's metadata and spec (or a template's). Fields of the wrong type come back as `problems`. */
export function readPod(metadata: unknown, spec: unknown): PodReading {
  const reader = new ShapeReader();
  if (!isJsonObject(spec)) {
    reader.wrong("spec", "an object", spec);
    return { problems: reader.problems };
  }
  if (metadata !== undefined && metadata !== null && !isJsonObject(metadata)) {
    reader.wrong("metadata", "an object", metadata);
    return { problems: reader.problems };
  }
  const pod = readSpec(reader, readAnnotations(reader, metadata ?? noFields), spec);
  return reader.problems.length > 0 ? { problems: reader.problems } : { pod };
}

const noFields: JsonObject = Object.freeze({});
const noPorts: readonly number[] = Object.freeze([]);
const noHosts: readonly string[] = Object.freeze([]);
const noVolumes: readonly VolumeView[] = Object.freeze([]);

function readAnnotations(reader: ShapeReader, metadata: JsonObject): JsonObject {
  const annotations = reader.object(metadata, "annotations", "metadata") ?? noFields;
  for (const key of Object.keys(annotations)) {
    const value = annotations[key];
    if (typeof value !== "string" && value !== null) {
      reader.wrong(`metadata.annotations["${key.slice(0, 120)}"]`, "a string", value);
    }
  }
  return annotations;
}

function readSpec(reader: ShapeReader, annotations: JsonObject, spec: JsonObject): PodView {
  const os = reader.object(spec, "os", "spec");
  const securityContext = reader.object(spec, "securityContext", "spec") ?? noFields;
  const containers: ContainerView[] = [];
  readContainers(reader, spec, "initContainers", containers);
  readContainers(reader, spec, "containers", containers);
  readContainers(reader, spec, "ephemeralContainers", containers);
  return {
    annotations,
    isWindows: os !== undefined && reader.string(os, "name", "spec.os") === "windows",
    hasUserNamespace: reader.boolean(spec, "hostUsers", "spec") === false,
    hostNetwork: reader.boolean(spec, "hostNetwork", "spec") === true,
    hostPid: reader.boolean(spec, "hostPID", "spec") === true,
    hostIpc: reader.boolean(spec, "hostIPC", "spec") === true,
    runtimeClassName: reader.string(spec, "runtimeClassName", "spec"),
    securityContext: readSecurityContext(reader, securityContext, "spec.securityContext"),
    sysctls: reader
      .objects(securityContext, "sysctls", "spec.securityContext")
      .map((sysctl, i) => reader.string(sysctl, "name", `spec.securityContext.sysctls[${i}]`) ?? ""),
    volumes: readVolumes(reader, spec),
    containers,
  };
}

function readSecurityContext(reader: ShapeReader, context: JsonObject, path: string): SecurityContextView {
  const seccomp = reader.object(context, "seccompProfile", path);
  const appArmor = reader.object(context, "appArmorProfile", path);
  const windows = reader.object(context, "windowsOptions", path);
  return {
    runAsNonRoot: reader.boolean(context, "runAsNonRoot", path),
    runAsUser: reader.integer(context, "runAsUser", path),
    seccompType: seccomp && (reader.string(seccomp, "type", `${path}.seccompProfile`) ?? ""),
    appArmorType: appArmor && (reader.string(appArmor, "type", `${path}.appArmorProfile`) ?? ""),
    seLinux: readSeLinux(reader, context, path),
    windowsHostProcess: windows && reader.boolean(windows, "hostProcess", `${path}.windowsOptions`),
  };
}

function readSeLinux(reader: ShapeReader, context: JsonObject, path: string): SeLinuxView | undefined {
  const options = reader.object(context, "seLinuxOptions", path);
  if (options === undefined) return undefined;
  const at = `${path}.seLinuxOptions`;
  return {
    type: reader.string(options, "type", at) ?? "",
    user: reader.string(options, "user", at) ?? "",
    role: reader.string(options, "role", at) ?? "",
  };
}

type ContainerField = "initContainers" | "containers" | "ephemeralContainers";

function readContainers(
  reader: ShapeReader,
  spec: JsonObject,
  key: ContainerField,
  into: ContainerView[],
): void {
  const items = reader.objects(spec, key, "spec");
  for (let i = 0; i < items.length; i++) {
    into.push(readContainer(reader, items[i] ?? noFields, `spec.${key}[${i}]`));
  }
}

function readContainer(reader: ShapeReader, container: JsonObject, path: string): ContainerView {
  const context = reader.object(container, "securityContext", path) ?? noFields;
  const at = `${path}.securityContext`;
  const capabilities = reader.object(context, "capabilities", at);
  const shared = readSecurityContext(reader, context, at);
  return {
    name: reader.string(container, "name", path) ?? "",
    runAsNonRoot: shared.runAsNonRoot,
    runAsUser: shared.runAsUser,
    seccompType: shared.seccompType,
    appArmorType: shared.appArmorType,
    seLinux: shared.seLinux,
    windowsHostProcess: shared.windowsHostProcess,
    privileged: reader.boolean(context, "privileged", at),
    allowPrivilegeEscalation: reader.boolean(context, "allowPrivilegeEscalation", at),
    procMount: reader.string(context, "procMount", at),
    capabilities: capabilities && {
      add: reader.strings(capabilities, "add", `${at}.capabilities`),
      drop: reader.strings(capabilities, "drop", `${at}.capabilities`),
    },
    hostPorts: readHostPorts(reader, container, path),
    handlerHosts: readHandlerHosts(reader, container, path),
  };
}

function readHostPorts(reader: ShapeReader, container: JsonObject, path: string): readonly number[] {
  const ports = reader.objects(container, "ports", path);
  if (ports.length === 0) return noPorts;
  return ports
    .map((port, i) => reader.integer(port, "hostPort", `${path}.ports[${i}]`) ?? 0)
    .filter((port) => port !== 0);
}

const probeFields = ["livenessProbe", "readinessProbe", "startupProbe"] as const;
const lifecycleFields = ["postStart", "preStop"] as const;
const handlerFields = ["httpGet", "tcpSocket"] as const;

function readHandlerHosts(reader: ShapeReader, container: JsonObject, path: string): readonly string[] {
  let hosts: string[] | undefined;
  const collect = (parent: JsonObject, key: string, at: string) => {
    const handler = reader.object(parent, key, at);
    if (handler === undefined) return;
    for (const kind of handlerFields) {
      const target = reader.object(handler, kind, `${at}.${key}`);
      const host = target && reader.string(target, "host", `${at}.${key}.${kind}`);
      if (host !== undefined && host !== "") {
        hosts ??= [];
        hosts.push(host);
      }
    }
  };
  for (const probe of probeFields) collect(container, probe, path);
  const lifecycle = reader.object(container, "lifecycle", path);
  if (lifecycle !== undefined)
    for (const hook of lifecycleFields) collect(lifecycle, hook, `${path}.lifecycle`);
  return hosts ?? noHosts;
}

function readVolumes(reader: ShapeReader, spec: JsonObject): readonly VolumeView[] {
  const volumes = reader.objects(spec, "volumes", "spec");
  if (volumes.length === 0) return noVolumes;
  return volumes.map((volume, i) => {
    const sources = new Set<string>();
    for (const key of Object.keys(volume)) {
      if (key !== "name" && reader.object(volume, key, `spec.volumes[${i}]`) !== undefined) sources.add(key);
    }
    if (sources.size === 0) sources.add("emptyDir");
    return { name: reader.string(volume, "name", `spec.volumes[${i}]`) ?? "", sources };
  });
}

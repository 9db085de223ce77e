/** Policies with mutations, and objects for them, from a seed. */
import { configMaps, deployments, type ObjectKind, pods, services, widgets } from "../cel-oracle/objects.ts";
import { Random } from "../random.ts";

export interface MutationSpec {
  readonly patchType: "ApplyConfiguration" | "JSONPatch";
  readonly applyConfiguration?: { readonly expression: string };
  readonly jsonPatch?: { readonly expression: string };
}

export interface OracleMutationPolicy {
  readonly failurePolicy: "Fail";
  readonly reinvocationPolicy: "Never" | "IfNeeded";
  readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly mutations: readonly MutationSpec[];
}

/** Policies that one request meets, in their order, and the object it is about. */
export interface MutationCase {
  readonly seed: number;
  readonly kind: ObjectKind;
  readonly policies: readonly OracleMutationPolicy[];
  readonly object: Readonly<Record<string, unknown>>;
}

type Make = (random: Random) => string;

const text = (random: Random): string =>
  random.pick(["'web'", "'db'", "''", "object.metadata.name", "request.operation", "'n-' + string(1 + 1)"]);
const key = (random: Random): string => random.pick(["app", "tier", "example.com/owner", "x~y"]);
const labelKey = (random: Random): string => random.pick(["app", "tier", "example.com/owner"]);
const flag = (random: Random): string => random.pick(["true", "false"]);
const number = (random: Random): string => String(random.pick([0, 1, 30, 1000, 65_534]));

/** Fields of a container, for `prefix.containers{name: …, HERE}`. */
const containerField: Make = (random) => {
  const type = "PREFIX.containers";
  return random.pick<Make>([
    () => "image: 'mirror/app:1'",
    () => `env: [${type}.env{name: '${random.pick(["A", "B", "C"])}', value: 'set'}]`,
    () => `ports: [${type}.ports{containerPort: ${random.pick([80, 8080, 9090])}, protocol: 'TCP'}]`,
    () => `ports: [${type}.ports{containerPort: 8081}]`,
    () =>
      `securityContext: ${type}.securityContext{privileged: ${flag(random)}, runAsUser: ${number(random)}}`,
    () =>
      `securityContext: ${type}.securityContext{capabilities: ${type}.securityContext.capabilities{drop: ['ALL']}}`,
    () => `resources: ${type}.resources{limits: {'memory': '${random.pick(["128Mi", "1Gi"])}'}}`,
    () => `volumeMounts: [${type}.volumeMounts{mountPath: '/data', name: 'data'}]`,
    () => "args: ['-v']",
    () => "imagePullPolicy: 'Always'",
    () => "imagePolicy: 'Always'",
    () => `env: [${type}.envs{name: 'A'}]`,
    () => "image: 5",
  ])(random);
};

const podField: Make = (random) =>
  random.pick<Make>([
    () =>
      `containers: [PREFIX.containers{name: '${random.pick(["c0", "a", "proxy"])}', ${containerField(random)}}]`,
    () => `containers: OBJECT.containers.map(c, PREFIX.containers{name: c.name, ${containerField(random)}})`,
    () => "initContainers: [PREFIX.initContainers{name: 'init', image: 'init:1'}]",
    () =>
      "containers: [PREFIX.containers{name: 'proxy', image: 'p'}, PREFIX.containers{name: OBJECT.containers[0].name, image: 'q'}]",
    () =>
      `securityContext: PREFIX.securityContext{runAsNonRoot: ${flag(random)}, fsGroup: ${number(random)}}`,
    () => "volumes: [PREFIX.volumes{name: 'data', emptyDir: PREFIX.volumes.emptyDir{medium: 'Memory'}}]",
    () => "imagePullSecrets: [PREFIX.imagePullSecrets{name: 'registry'}]",
    () => "hostAliases: [PREFIX.hostAliases{ip: '10.0.0.1', hostnames: ['a']}]",
    () =>
      "topologySpreadConstraints: [PREFIX.topologySpreadConstraints{maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway'}]",
    () => "tolerations: [PREFIX.tolerations{key: 'a', operator: 'Exists'}]",
    () => "nodeSelector: {'disk': 'ssd'}",
    () => `terminationGracePeriodSeconds: ${number(random)}`,
    () => `hostNetwork: ${flag(random)}`,
    () => "dnsPolicy: 'Default', restartPolicy: 'Never'",
    () => "automountServiceAccountToken: false",
    () => "?priorityClassName: optional.none(), hostIPC: true",
    () => "priorityClasName: 'typo'",
  ])(random);

const metadataField: Make = (random) =>
  random.pick<Make>([
    () => `labels: {'${labelKey(random)}': 'set'}`,
    () => `annotations: {'${key(random).replace("~", "-")}': ${text(random)}, 'second': 'x'}`,
    () => "finalizers: ['example.com/hold', 'example.com/other']",
    () =>
      "ownerReferences: [Object.metadata.ownerReferences{apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u-1'}]",
    () => "labels: object.metadata.?labels[?'app'].hasValue() ? {'seen': 'yes'} : {'app': 'none'}",
  ])(random);

const withPrefix = (template: string, prefix: string, object: string): string =>
  template.replaceAll("PREFIX", prefix).replaceAll("OBJECT", object);

const specOf: Readonly<Record<string, Make>> = {
  Pod: (random) => `spec: Object.spec{${withPrefix(podField(random), "Object.spec", "object.spec")}}`,
  Deployment: (random) =>
    random.pick<Make>([
      () =>
        `spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{${withPrefix(podField(random), "Object.spec.template.spec", "object.spec.template.spec")}}}}`,
      () => `spec: Object.spec{replicas: ${random.pick(["3", "object.spec.replicas", "'x'", "0"])}}`,
      () => "spec: Object.spec{selector: Object.spec.selector{matchLabels: {'app': 'x'}}}",
      () =>
        "spec: Object.spec{strategy: Object.spec.strategy{rollingUpdate: Object.spec.strategy.rollingUpdate{maxSurge: '50%'}}}",
      () =>
        "spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{labels: {'l': 'm'}}}}",
    ])(random),
  ConfigMap: (random) =>
    random.pick([
      "data: {'a': 'set', 'new': string(size(object.data))}",
      "immutable: true",
      "data: {'n': 1}",
      "nothing: 1",
    ]),
  Service: (random) =>
    random.pick([
      "spec: Object.spec{ports: [Object.spec.ports{port: 443, protocol: 'TCP', name: 'tls'}]}",
      "spec: Object.spec{ports: [Object.spec.ports{port: 8443, name: 'more'}]}",
      "spec: Object.spec{selector: {'app': 'y'}}",
      "spec: Object.spec{externalIPs: ['192.0.2.9']}",
      "spec: Object.spec{sessionAffinity: 'ClientIP'}",
      "spec: Object.spec{ipFamilyPolicy: 'SingleStack', publishNotReadyAddresses: true}",
    ]),
  Widget: () => "spec: Object.spec{}",
};

const applied = (kind: ObjectKind, random: Random): MutationSpec => {
  const fields = [
    ...(random.chance(0.4) ? [`metadata: Object.metadata{${metadataField(random)}}`] : []),
    ...(random.chance(0.8) ? [(specOf[kind.kind] ?? metadataField)(random)] : []),
  ];
  const expression = `Object{${fields.join(", ")}}`;
  return { patchType: "ApplyConfiguration", applyConfiguration: { expression } };
};

const pod = (kind: ObjectKind): string => (kind.kind === "Pod" ? "/spec" : "/spec/template/spec");

const operation = (kind: ObjectKind, random: Random): string => {
  const common: Make[] = [
    () =>
      `JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('${key(random)}'), value: ${text(random)}}`,
    () => "JSONPatch{op: 'add', path: '/metadata/annotations', value: {'only': 'this'}}",
    () => "JSONPatch{op: 'test', path: '/metadata/labels/app', value: 'web'}",
    () => "JSONPatch{op: 'remove', path: '/metadata/labels/tier'}",
    () => "JSONPatch{op: 'copy', from: '/metadata/labels/app', path: '/metadata/labels/copied'}",
    () => "JSONPatch{op: 'move', from: '/metadata/labels/tier', path: '/metadata/labels/moved'}",
    () => "JSONPatch{op: 'replace', path: '/metadata/labels/app', value: 'replaced'}",
    () => "JSONPatch{op: 'test', path: '/metadata/labels/none', value: null}",
  ];
  const forPods: Make[] = [
    () => `JSONPatch{op: 'replace', path: '${pod(kind)}/containers/0/image', value: 'patched'}`,
    () => `JSONPatch{op: 'add', path: '${pod(kind)}/hostNetwork', value: ${flag(random)}}`,
    () =>
      `JSONPatch{op: 'add', path: '${pod(kind)}/securityContext', value: Object.spec${kind.kind === "Pod" ? "" : ".template.spec"}.securityContext{runAsUser: 7}}`,
    () => `JSONPatch{op: 'add', path: '${pod(kind)}/containers/0/args', value: ['-a', '-b']}`,
    () =>
      `JSONPatch{op: 'add', path: '${pod(kind)}/readinessGates', value: [{'conditionType': 'example.com/a'}]}`,
    () => `JSONPatch{op: 'add', path: '${pod(kind)}/containers/-', value: {'name': 'more', 'image': 'm'}}`,
    () => `JSONPatch{op: 'add', path: '${pod(kind)}/containers/9', value: {'name': 'more', 'image': 'm'}}`,
    () => `JSONPatch{op: 'add', path: '${pod(kind)}/hostNetwrok', value: true}`,
    () =>
      `JSONPatch{op: 'add', path: '${pod(kind)}/terminationGracePeriodSeconds', value: ${number(random)}}`,
    () => `JSONPatch{op: 'remove', path: '${pod(kind)}/containers/-1/image'}`,
  ];
  const ofKind: Readonly<Record<string, Make[]>> = {
    Pod: forPods,
    Deployment: [...forPods, () => "JSONPatch{op: 'replace', path: '/spec/replicas', value: 2}"],
    ConfigMap: [
      () => "JSONPatch{op: 'add', path: '/data/' + jsonpatch.escapeKey('p.q'), value: 'x'}",
      () => "JSONPatch{op: 'remove', path: '/data/a'}",
      () => "JSONPatch{op: 'replace', path: '/data', value: {'all': 'new'}}",
    ],
    Service: [
      () => "JSONPatch{op: 'replace', path: '/spec/ports/0/targetPort', value: 'named'}",
      () => "JSONPatch{op: 'add', path: '/spec/externalIPs', value: ['192.0.2.7']}",
    ],
  };
  return random.pick([...common, ...(ofKind[kind.kind] ?? []), ...(ofKind[kind.kind] ?? [])])(random);
};

const patched = (kind: ObjectKind, random: Random): MutationSpec => {
  const operations = Array.from({ length: 1 + random.below(3) }, () => operation(kind, random));
  const expression = random.chance(0.2)
    ? `has(object.metadata.labels) ? [${operations.join(", ")}] : []`
    : `[${operations.join(", ")}]`;
  return { patchType: "JSONPatch", jsonPatch: { expression } };
};

/** What one policy may hand the next. */
const handedOn = (random: Random): MutationSpec => ({
  patchType: "ApplyConfiguration",
  applyConfiguration: {
    expression: random.pick([
      "Object{metadata: Object.metadata{annotations: {'count': string(size(object.metadata.?labels.orValue({})))}}}",
      "Object{metadata: Object.metadata{annotations: {'app-was': object.metadata.?labels[?'app'].orValue('none')}}}",
      "Object{metadata: Object.metadata{annotations: {'word': variables.word}}}",
    ]),
  },
});

function policyOf(kind: ObjectKind, random: Random): OracleMutationPolicy {
  const mutations = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => {
    const which = random.fraction();
    if (which < 0.5) return applied(kind, random);
    return which < 0.8 ? patched(kind, random) : handedOn(random);
  });
  return {
    failurePolicy: "Fail",
    reinvocationPolicy: random.pick(["Never", "IfNeeded"]),
    matchConditions: random.chance(0.2)
      ? [
          {
            name: "some",
            expression: random.pick([
              "has(object.metadata.labels) && 'app' in object.metadata.labels",
              "object.metadata.labels.missing == 'x'",
              "!has(object.metadata.annotations)",
            ]),
          },
        ]
      : [],
    variables: [
      {
        name: "word",
        expression: random.pick([
          "'w'",
          "object.metadata.?annotations[?'second'].orValue('no')",
          "string(1 / 0)",
        ]),
      },
    ],
    mutations,
  };
}

const kinds: readonly ObjectKind[] = [pods, pods, deployments, deployments, configMaps, services, widgets];

export function mutationCase(seed: number): MutationCase {
  const random = new Random(seed);
  const kind = random.pick(kinds);
  const { group, version } = kind;
  // By which the recording webhook tells requests apart.
  const labels = {
    question: `q${seed}`,
    ...(random.chance(0.7) ? { app: random.pick(["web", "db"]) } : {}),
    ...(random.chance(0.5) ? { tier: "front" } : {}),
  };
  return {
    seed,
    kind,
    policies: Array.from({ length: random.pick([1, 1, 2, 3]) }, () => policyOf(kind, random)),
    object: {
      apiVersion: group === "" ? version : `${group}/${version}`,
      kind: kind.kind,
      metadata: {
        name: `o-${seed % 1000}`,
        labels,
        ...(random.chance(0.4) ? { annotations: { second: "there" } } : {}),
        ...(random.chance(0.2) ? { finalizers: ["example.com/hold"] } : {}),
      },
      ...kind.make(random),
    },
  };
}

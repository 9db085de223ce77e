/** The kinds of objects the oracle is asked about: how to make one at random, and what expressions find in it. */
import type { Random } from "../random.ts";

export interface ObjectKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
  /** Expressions for parts of the object, by the type their value mostly has; some miss, or have another. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** A valid object but for its metadata. */
  make(random: Random): Record<string, unknown>;
  /** What an update may change beside metadata. */
  change(random: Random, object: Record<string, unknown>): Record<string, unknown>;
}

const words = [
  "web",
  "db",
  "cache",
  "api",
  "l",
  "10.0.0.1",
  "1.2.3",
  "100m",
  "2Gi",
  "https://example.com/a?b=c",
];
const word = (random: Random) => random.pick(words);
const common = {
  string: [
    "object.metadata.name",
    "object.metadata.namespace",
    "object.metadata.labels.app",
    "object.metadata.labels['tier']",
    "object.metadata.annotations.note",
    "request.operation",
    "request.userInfo.username",
    "request.kind.kind",
    "request.resource.resource",
    "request.name",
    "namespaceObject.metadata.name",
    "oldObject.metadata.name",
    "object.metadata.?labels[?'app'].orValue('none')",
    "object.?metadata.?annotations.?note.orValue('')",
    "object.metadata.missing",
    "object.kind",
    "object.apiVersion",
  ],
  "list<string>": [
    "object.metadata.finalizers",
    "request.userInfo.groups",
    "object.metadata.?finalizers.orValue([])",
    "namespaceObject.spec.finalizers",
  ],
  bool: [
    "has(object.metadata.labels)",
    "'app' in object.metadata.labels",
    "request.dryRun",
    "oldObject == null",
    "object != null",
    "has(request.subResource)",
    "object.metadata == oldObject.metadata",
    "'app' in object.metadata.?labels.orValue({})",
  ],
  int: [
    "size(object.metadata.labels)",
    "object.metadata.generation",
    "size(request.userInfo.groups)",
    "size(object.metadata.name)",
  ],
  timestamp: ["timestamp(object.metadata.creationTimestamp)"],
} as const;

/** The paths of a kind, beside those every object has. */
function paths(own: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> {
  const merged: Record<string, readonly string[]> = { ...common };
  for (const [type, list] of Object.entries(own)) merged[type] = [...(merged[type] ?? []), ...list, ...list];
  return merged;
}

const podSpec = (random: Random) => ({
  containers: Array.from({ length: 1 + random.below(3) }, (_, at) => ({
    name: `c${at}`,
    image: random.pick([
      "nginx:1.27",
      "registry.example.com/team/app@sha256:abc",
      "busybox",
      "redis:7-alpine",
    ]),
    ...(random.chance(0.5) ? { ports: [{ containerPort: random.pick([80, 443, 8080]) }] } : {}),
    ...(random.chance(0.5)
      ? {
          resources: {
            limits: { cpu: random.pick(["100m", "1", "2.5"]), memory: random.pick(["64Mi", "1Gi", "1500M"]) },
          },
        }
      : {}),
    ...(random.chance(0.5)
      ? {
          securityContext: {
            privileged: random.chance(0.3),
            runAsUser: random.pick([0, 1000, 65534]),
            ...(random.chance(0.5)
              ? { capabilities: { drop: ["ALL"], add: random.chance(0.3) ? ["NET_ADMIN"] : [] } }
              : {}),
          },
        }
      : {}),
    env: random.chance(0.5)
      ? [
          { name: "A", value: word(random) },
          { name: "B", value: "" },
        ]
      : [],
  })),
  ...(random.chance(0.3) ? { hostPID: true } : {}),
  ...(random.chance(0.3) ? { nodeSelector: { disk: random.pick(["ssd", "web", "a"]) } } : {}),
  ...(random.chance(0.3) ? { terminationGracePeriodSeconds: random.pick([0, 30, 600]) } : {}),
});

const templateSpec = (random: Random) => {
  const spec: Record<string, unknown> = podSpec(random);
  return spec;
};

export const pods: ObjectKind = {
  group: "",
  version: "v1",
  kind: "Pod",
  resource: "pods",
  namespaced: true,
  paths: paths({
    string: [
      "object.spec.containers[0].image",
      "object.spec.containers[1].name",
      "object.spec.containers[0].resources.limits.cpu",
      "object.spec.restartPolicy",
      "object.spec.nodeSelector.disk",
      "object.status.phase",
    ],
    int: [
      "object.spec.containers.size()",
      "object.spec.containers[0].ports[0].containerPort",
      "object.spec.containers[0].securityContext.runAsUser",
      "object.spec.terminationGracePeriodSeconds",
    ],
    bool: [
      "object.spec.hostPID",
      "object.spec.containers.all(c, has(c.securityContext) && c.securityContext.privileged != true)",
      "object.spec.containers.exists(c, c.image.contains('nginx'))",
      "has(object.spec.containers[0].resources.limits)",
      "object.spec.containers.all(c, c.?securityContext.?privileged.orValue(false) == false)",
    ],
    "list<string>": [
      "object.spec.containers.map(c, c.image)",
      "object.spec.containers.map(c, c.name)",
      "object.spec.containers[0].securityContext.capabilities.drop",
    ],
    "list<int>": ["object.spec.containers.filter(c, has(c.ports)).map(c, c.ports[0].containerPort)"],
    quantity: [
      "quantity(object.spec.containers[0].resources.limits.cpu)",
      "quantity(object.spec.containers[0].resources.limits.memory)",
    ],
  }),
  make: (random) => ({ spec: podSpec(random) }),
  change: (_random, object) => object,
};

export const deployments: ObjectKind = {
  group: "apps",
  version: "v1",
  kind: "Deployment",
  resource: "deployments",
  namespaced: true,
  paths: paths({
    string: [
      "object.spec.strategy.type",
      "object.spec.template.spec.containers[0].image",
      "object.spec.selector.matchLabels.app",
      "object.spec.strategy.rollingUpdate.maxSurge",
    ],
    int: [
      "object.spec.replicas",
      "oldObject.spec.replicas",
      "object.spec.revisionHistoryLimit",
      "object.spec.strategy.rollingUpdate.maxUnavailable",
    ],
    bool: [
      "object.spec.replicas > 2",
      "object.spec.replicas == oldObject.spec.replicas",
      "object.spec.template.spec == oldObject.spec.template.spec",
      "object.spec.paused",
    ],
    "list<string>": ["object.spec.template.spec.containers.map(c, c.image)"],
    "list<int>": ["[object.spec.replicas, object.spec.progressDeadlineSeconds]"],
  }),
  make: (random) => ({
    spec: {
      replicas: random.below(6),
      selector: { matchLabels: { app: "x" } },
      strategy: {
        rollingUpdate: {
          maxSurge: random.pick<number | string>([1, "25%"]),
          maxUnavailable: random.pick<number | string>([1, 2, "10%"]),
        },
      },
      template: { metadata: { labels: { app: "x" } }, spec: templateSpec(random) },
    },
  }),
  change: (random, object) => ({
    ...object,
    spec: { ...(object.spec as object), replicas: random.below(6), paused: random.chance(0.5) },
  }),
};

const configMapData = (random: Random) => ({
  data: {
    a: word(random),
    ip: random.pick(["127.0.0.1", "10.1.2.3", "::1", "bad"]),
    cidr: random.pick(["10.0.0.0/8", "::/0", "bad"]),
    number: random.pick(["1", "42", "x"]),
    when: random.pick(["2024-02-29T12:34:56Z", "soon"]),
    span: random.pick(["1h", "90m", "soon"]),
    version: random.pick(["1.2.3", "2.0.0-rc.1", "v1"]),
    list: random.pick(["a,b,c", "", "x"]),
    ...(random.chance(0.5) ? { constructor: "own", __proto: "near" } : {}),
  },
  ...(random.chance(0.3) ? { binaryData: { b: Buffer.from(word(random)).toString("base64") } } : {}),
  ...(random.chance(0.3) ? { immutable: false } : {}),
});

export const configMaps: ObjectKind = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  resource: "configmaps",
  namespaced: true,
  paths: paths({
    string: [
      "object.data.a",
      "object.data['a']",
      "object.data.list",
      "object.data.number",
      "object.data.constructor",
      "object.data.toString",
      "object.binaryData.b",
      "oldObject.data.a",
      "object.data[?'zz'].orValue('zz')",
    ],
    int: ["size(object.data)", "int(object.data.number)"],
    bool: [
      "'a' in object.data",
      "'constructor' in object.data",
      "has(object.data.__proto__)",
      "object.immutable",
      "object.data.all(k, k.size() < 20)",
      "object.data.exists(k, v, v == 'web')",
      "object.data == oldObject.data",
    ],
    "list<string>": ["object.data.list.split(',')"],
    ip: ["ip(object.data.ip)"],
    cidr: ["cidr(object.data.cidr)"],
    timestamp: ["timestamp(object.data.when)"],
    duration: ["duration(object.data.span)"],
    semver: ["semver(object.data.version)"],
  }),
  make: configMapData,
  change: (random) => configMapData(random),
};

const serviceSpec = (random: Random) => ({
  selector: { app: "x" },
  ports: [
    { name: "http", port: random.pick([80, 8080]), targetPort: random.pick<number | string>([80, "web"]) },
    ...(random.chance(0.5) ? [{ name: "https", port: 443, protocol: random.pick(["TCP", "UDP"]) }] : []),
  ],
  ...(random.chance(0.3) ? { type: "ExternalName", externalName: "example.com" } : {}),
  ...(random.chance(0.3) ? { externalIPs: [random.pick(["192.0.2.1", "198.51.100.7"])] } : {}),
});

export const services: ObjectKind = {
  group: "",
  version: "v1",
  kind: "Service",
  resource: "services",
  namespaced: true,
  paths: paths({
    string: [
      "object.spec.type",
      "object.spec.ports[0].name",
      "object.spec.ports[0].targetPort",
      "object.spec.ports[1].protocol",
      "object.spec.externalName",
      "object.spec.sessionAffinity",
      "object.spec.externalIPs[0]",
    ],
    int: ["object.spec.ports[0].port", "object.spec.ports[0].targetPort", "object.spec.ports.size()"],
    bool: [
      "object.spec.type == 'ExternalName'",
      "object.spec.ports.exists_one(p, p.port == 443)",
      "object.spec.ports.map(p, p.port).isSorted()",
      "isIP(object.spec.externalIPs[0])",
      "type(object.spec.ports[0].targetPort) == int",
    ],
    "list<string>": ["object.spec.externalIPs", "object.spec.ports.map(p, p.name)"],
    "list<int>": ["object.spec.ports.map(p, p.port)"],
    ip: ["ip(object.spec.externalIPs[0])"],
  }),
  make: (random) => ({ spec: serviceSpec(random) }),
  change: (_random, object) => object,
};

export const namespaces: ObjectKind = {
  group: "",
  version: "v1",
  kind: "Namespace",
  resource: "namespaces",
  namespaced: false,
  paths: paths({
    string: [
      "object.status.phase",
      "object.metadata.labels['kubernetes.io/metadata.name']",
      "object.spec.finalizers[0]",
    ],
    bool: ["namespaceObject == null", "has(object.spec.finalizers)", "object.metadata.name.startsWith('o')"],
    "list<string>": ["object.spec.finalizers"],
  }),
  make: () => ({}),
  change: (_random, object) => object,
};

const widgetSpec = (random: Random) => ({
  spec: {
    count: random.pick([0, 3, -5, 2_147_483_648, 4_503_599_627_370_496]),
    ratio: random.pick([0.5, -2.25, 1e-9, 3.75e10]),
    port: random.pick<number | string>([80, "http", 0]),
    note: random.pick([null, "text", ""]),
    date: random.pick(["2024-02-29T12:34:56Z", "2023-06-15T01:02:03.5+05:30"]),
    data: "aGVsbG8=",
    settings: { a: word(random), ...(random.chance(0.5) ? { constructor: "own", toString: "own" } : {}) },
    lists: { x: [1, 2, 3], y: random.chance(0.5) ? [] : [9] },
    tags: random.pick([["a", "b"], [], ["z"]]),
    entries: [
      { key: "k1", value: random.below(10) },
      { key: "k2", value: random.below(10) },
    ],
    anything: random.pick<unknown>([
      { deep: { er: [1, "two", 3.5, null, true] } },
      { constructor: { name: "own" }, "a-b": 1, "c.d": [[]] },
      [],
      "text",
      7,
      false,
      1.25,
    ]),
  },
});

export const widgets: ObjectKind = {
  group: "oracle.example.com",
  version: "v1",
  kind: "Widget",
  resource: "widgets",
  namespaced: true,
  paths: paths({
    string: [
      "object.spec.port",
      "object.spec.note",
      "object.spec.settings.a",
      "object.spec.settings.constructor",
      "object.spec.data",
      "object.spec.tags[0]",
      "object.spec.anything",
      "object.spec.anything.constructor.name",
    ],
    int: [
      "object.spec.count",
      "object.spec.port",
      "object.spec.entries[0].value",
      "object.spec.anything.deep.er[0]",
      "object.spec.anything['a-b']",
      "object.spec.lists.x[1]",
      "object.spec.anything",
    ],
    double: ["object.spec.ratio", "object.spec.anything.deep.er[2]", "double(object.spec.count)"],
    bool: [
      "object.spec.note == null",
      "object.spec.anything == 7",
      "type(object.spec.ratio) == double",
      "type(object.spec.port) == int",
      "object.spec.entries.all(e, e.value >= 0)",
      "object.spec.anything.deep.er[3] == null",
      "has(object.spec.note)",
      "object.spec.entries.exists(i, e, i > 0 && e.value > 5)",
      "object.spec == oldObject.spec",
    ],
    "list<string>": ["object.spec.tags", "object.spec.entries.map(e, e.key)"],
    "list<int>": ["object.spec.lists.x", "object.spec.lists.y", "object.spec.entries.map(e, e.value)"],
    timestamp: ["timestamp(object.spec.date)"],
    "map<string,int>": ["object.spec.settings"],
  }),
  make: widgetSpec,
  change: (random) => widgetSpec(random),
};

export const objectKinds: readonly ObjectKind[] = [
  configMaps,
  pods,
  widgets,
  deployments,
  services,
  namespaces,
];

/** The CustomResourceDefinition behind `widgets`: the types a built-in kind does not have. */
export const widgetDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.oracle.example.com" },
  spec: {
    group: "oracle.example.com",
    names: { kind: "Widget", listKind: "WidgetList", plural: "widgets", singular: "widget" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                properties: {
                  count: { type: "integer", format: "int64" },
                  ratio: { type: "number" },
                  port: { "x-kubernetes-int-or-string": true },
                  note: { type: "string", nullable: true },
                  date: { type: "string", format: "date-time" },
                  data: { type: "string", format: "byte" },
                  settings: { type: "object", additionalProperties: { type: "string" } },
                  lists: {
                    type: "object",
                    additionalProperties: { type: "array", items: { type: "integer" } },
                  },
                  tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
                  entries: {
                    type: "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["key"],
                    items: {
                      type: "object",
                      required: ["key"],
                      properties: { key: { type: "string" }, value: { type: "integer" } },
                    },
                  },
                  anything: { "x-kubernetes-preserve-unknown-fields": true },
                },
              },
            },
          },
        },
      },
    ],
  },
};

import { type Cluster, startCluster } from "@shieldx/e2e/cluster";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ApplyMemory,
  applyIfChanged,
  type Client,
  ConfigMap,
  CustomResourceDefinition,
  createClient,
  Deployment,
  differenceFromApplied,
  type KubeObject,
  loadCredentials,
  type ResourceType,
  resourceType,
  ValidatingAdmissionPolicy,
} from "../index.ts";

let cluster: Cluster;
let client: Client;
let requests = 0;
const Widget = resourceType<KubeObject>({
  group: "test.shieldx.io",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  namespaced: false,
});

/** Every way the server can own a list or map: granular, atomic, keyed, set. */
const widgetSpec = {
  type: "object",
  properties: {
    text: { type: "string" },
    number: { type: "integer" },
    defaulted: { type: "string", default: "default" },
    inner: { type: "object", properties: { text: { type: "string" }, flag: { type: "boolean" } } },
    atomicMap: {
      type: "object",
      "x-kubernetes-map-type": "atomic",
      additionalProperties: { type: "string" },
    },
    map: { type: "object", additionalProperties: { type: "string" } },
    atomicList: { type: "array", items: { type: "string" } },
    set: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
    keyed: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name", "protocol"],
      items: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string" },
          protocol: { type: "string", default: "TCP" },
          value: { type: "integer" },
          tags: { type: "array", items: { type: "string" } },
        },
      },
    },
  },
};

beforeAll(async () => {
  cluster = await startCluster();
  client = createClient({
    credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }),
    metrics: { requestFinished: () => requests++, requestDuration: () => undefined },
  });
  await client.create(CustomResourceDefinition, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.test.shieldx.io" },
    spec: {
      group: "test.shieldx.io",
      scope: "Cluster",
      names: { plural: "widgets", kind: "Widget" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: {
                spec: widgetSpec,
                status: { type: "object", properties: { ready: { type: "boolean" } } },
              },
            },
          },
        },
      ],
    },
  });
  await cluster.kubectl([
    "wait",
    "--for=condition=Established",
    "crd/widgets.test.shieldx.io",
    "--timeout=30s",
  ]);
  for (
    let tries = 0;
    (await client.request("GET", "/apis/test.shieldx.io/v1/widgets").catch(() => undefined)) === undefined;
    tries++
  ) {
    if (tries > 200) throw new Error("widgets are not served");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
});

const me = { fieldManager: "shieldx-test", force: true } as const;
const labels = { app: "a" };
const deployment: KubeObject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default", labels },
  spec: {
    replicas: 0,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        containers: [
          {
            name: "b",
            image: "b:1",
            ports: [{ containerPort: 80 }, { containerPort: 53, protocol: "UDP" }],
            resources: { limits: { cpu: "500m" } },
          },
          { name: "a", image: "a:1", env: [{ name: "X", value: "1" }], args: ["--x"] },
        ],
        tolerations: [{ operator: "Exists" }],
      },
    },
  },
};
const policy: KubeObject = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: { name: "p" },
  spec: {
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
    },
    validations: [{ expression: "true", message: "m" }],
  },
};

/** The object once the API server's own controllers have written what they write into its status. */
async function settledObject(type: ResourceType, { metadata, kind }: KubeObject): Promise<KubeObject> {
  const hasController = kind !== "ConfigMap";
  for (;;) {
    const object = await client.get(type, metadata);
    const { observedGeneration } = (object.status ?? {}) as { observedGeneration?: number };
    if (!hasController || observedGeneration === object.metadata.generation) return object;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("applyIfChanged on a real API server", () => {
  it.each([
    ["Deployment", Deployment as ResourceType, deployment, true],
    [
      "ConfigMap",
      ConfigMap as ResourceType,
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "c", namespace: "default", labels },
        data: { a: "1" },
      },
      true,
    ],
    [
      "ValidatingAdmissionPolicy, whose atomic rules get defaults",
      ValidatingAdmissionPolicy as ResourceType,
      policy,
      false,
    ],
  ])(
    "makes no request and moves no resourceVersion at steady state: %s",
    async (_name, type, desired, isSeenAtOnce) => {
      const created = await applyIfChanged(client, type, undefined, desired, me);
      expect(created).toMatchObject({ applied: true, changed: true });
      const settled = await settledObject(type, desired);
      // a process that has just started knows nothing of the apply
      const first = await applyIfChanged(client, type, settled, desired, {
        ...me,
        memory: new ApplyMemory(),
      });
      expect(first.applied ? first.reason : undefined).toEqual(isSeenAtOnce ? undefined : expect.any(String));
      expect(first.changed).toBe(false);
      const before = requests;
      const current = await client.get(type, desired.metadata);
      for (let round = 0; round < 50; round++) {
        expect(await applyIfChanged(client, type, current, desired, me)).toMatchObject({
          applied: false,
          changed: false,
        });
      }
      expect(requests - before).toBe(1); // the get
      expect((await client.get(type, desired.metadata)).metadata.resourceVersion).toBe(
        settled.metadata.resourceVersion,
      );
    },
  );

  it("removes a field it no longer wants, and leaves others' fields alone", async () => {
    const desired = (data: Record<string, string>) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "fields", namespace: "default" },
      data,
    });
    const first = await applyIfChanged(client, ConfigMap, undefined, desired({ a: "1", b: "2" }), me);
    const edited = await client.patch(
      ConfigMap,
      first.object.metadata,
      { data: { c: "theirs" } },
      { type: "merge", fieldManager: "other" },
    );
    expect(await applyIfChanged(client, ConfigMap, edited, desired({ a: "1", b: "2" }), me)).toMatchObject({
      applied: false,
    });
    const less = await applyIfChanged(client, ConfigMap, edited, desired({ a: "1" }), me);
    expect(less).toMatchObject({ applied: true, changed: true, reason: ".data.b: no longer desired" });
    expect(less.object.data).toEqual({ a: "1", c: "theirs" });
    const stolen = await client.patch(
      ConfigMap,
      first.object.metadata,
      { data: { a: "stolen" } },
      { type: "merge", fieldManager: "other" },
    );
    const back = await applyIfChanged(client, ConfigMap, stolen, desired({ a: "1" }), me);
    expect(back.object.data).toEqual({ a: "1", c: "theirs" });
  });

  it("keeps spec and status apart", async () => {
    const spec = {
      apiVersion: "test.shieldx.io/v1",
      kind: "Widget",
      metadata: { name: "status" },
      spec: { text: "a" },
    };
    const status = {
      apiVersion: "test.shieldx.io/v1",
      kind: "Widget",
      metadata: { name: "status" },
      status: { ready: true },
    };
    const created = await applyIfChanged(client, Widget, undefined, spec, me);
    const ready = await applyIfChanged(client, Widget, created.object, status, {
      ...me,
      subresource: "status",
    });
    expect(ready.object.status).toEqual({ ready: true });
    for (const [desired, subresource] of [
      [spec, undefined],
      [status, "status"],
    ] as const) {
      expect(
        await applyIfChanged(client, Widget, ready.object, desired, { ...me, subresource }),
      ).toMatchObject({ applied: false });
    }
  });

  it("does not bring a deleted object back", async () => {
    const desired = {
      apiVersion: "test.shieldx.io/v1",
      kind: "Widget",
      metadata: { name: "gone" },
      spec: { text: "a" },
    };
    const { object } = await applyIfChanged(client, Widget, undefined, desired, me);
    await client.delete(Widget, object.metadata);
    const late = applyIfChanged(client, Widget, object, { ...desired, spec: { text: "b" } }, me);
    await expect(late).rejects.toMatchObject({ code: 409, reason: "Conflict" });
    expect(await client.find(Widget, object.metadata)).toBeUndefined();
  });

  it("says 'no change' exactly when the server would not move the resourceVersion", async () => {
    const word = fc.constantFrom("a", "b", "c");
    const map = fc.dictionary(word, word, { minKeys: 1, maxKeys: 3 });
    const list = fc.uniqueArray(word, { minLength: 1, maxLength: 3 });
    const item = fc.record(
      {
        name: word,
        protocol: fc.constantFrom("TCP", "UDP"),
        value: fc.integer({ max: 2, min: 0 }),
        tags: list,
      },
      { requiredKeys: ["name"] },
    );
    const spec = fc.record(
      {
        text: word,
        number: fc.integer({ min: 0, max: 2 }),
        defaulted: fc.constantFrom("default", "x"),
        inner: fc.record({ text: word, flag: fc.boolean() }, { requiredKeys: ["text"] }),
        atomicMap: map,
        map,
        atomicList: list,
        set: list,
        keyed: fc.uniqueArray(item, {
          selector: (of) => `${of.name}/${of.protocol ?? "TCP"}`,
          minLength: 1,
          maxLength: 3,
        }),
      },
      { requiredKeys: ["text"] },
    );
    const widget = (of: unknown) => ({
      apiVersion: "test.shieldx.io/v1",
      kind: "Widget",
      metadata: { name: "random" },
      spec: of,
    });
    let unchanged = 0;
    let needless = 0;
    let pairs = 0;
    const reasons = new Set<string>();
    await fc.assert(
      fc.asyncProperty(spec, spec, fc.boolean(), spec, async (before, after, isSame, theirs) => {
        pairs++;
        const found = await client.find(Widget, { name: "random" });
        if (found !== undefined) await client.delete(Widget, found.metadata);
        await client.apply(Widget, widget(before), me);
        // somebody else owns some more, and may have overwritten some of ours
        await client.patch(
          Widget,
          { name: "random" },
          { spec: { map: { theirs: "x" }, ...(theirs.number === 0 ? { text: theirs.text } : {}) } },
          { type: "merge", fieldManager: "them" },
        );
        const current = await client.get(Widget, { name: "random" });
        const desired = widget(isSame ? before : after);
        const difference = differenceFromApplied(current, desired, me.fieldManager);
        const applied = await client.apply(Widget, desired, me);
        const moved = applied.metadata.resourceVersion !== current.metadata.resourceVersion;
        if (difference === undefined) {
          unchanged++;
          expect(
            moved,
            `said no change, but the server changed ${JSON.stringify([before, desired.spec])}`,
          ).toBe(false);
        } else if (!moved) {
          needless++;
          reasons.add(difference);
        }
      }),
      { numRuns: 200 },
    );
    console.info(
      `${pairs} applies: ${unchanged} found unchanged beforehand, ${needless} sent although the server changed nothing`,
    );
    expect(unchanged).toBeGreaterThan(20);
    expect(needless, [...reasons].join()).toBeLessThan(pairs / 20);
  });
});

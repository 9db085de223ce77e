import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  applyIfChanged,
  type Client,
  ConfigMap,
  createClient,
  isReplaced,
  type KubeObject,
  loadCredentials,
  refusalOf,
  resourceType,
} from "../index.ts";

const Widget = resourceType<KubeObject>({
  group: "test.shieldx.io",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  namespaced: false,
});
const widget = (name: string, spec: object, metadata: object = {}) => ({
  apiVersion: "test.shieldx.io/v1",
  kind: "Widget",
  metadata: { name, ...metadata },
  spec,
});
const configMap = (namespace: string, name: string, data: Record<string, string>, more: object = {}) =>
  ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data, ...more }) as const;
const crd = {
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
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                properties: {
                  text: { type: "string" },
                  fixed: {
                    type: "string",
                    "x-kubernetes-validations": [
                      { rule: "self == oldSelf", message: "fixed is immutable, make another widget" },
                    ],
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

describe("refusals of a real API server, in words for a condition", () => {
  let cluster: Cluster;
  let client: Client;
  const me = { fieldManager: "me" };

  const kubectl = async (args: string[], input?: object): Promise<string> => {
    const given = input === undefined ? {} : { input: JSON.stringify(input) };
    const { code, stdout, stderr } = await cluster.kubectl(args, given);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const refusal = async (write: Promise<unknown>) => {
    try {
      await write;
    } catch (error) {
      return refusalOf(error);
    }
    return undefined;
  };
  const put = (object: KubeObject) => applyIfChanged(client, Widget, undefined, object, me);

  beforeAll(async () => {
    cluster = await startCluster({ name: "client-refusals" });
    client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
    await kubectl(["create", "-f", "-"], crd);
    await kubectl(["wait", "--for=condition=Established", "crd/widgets.test.shieldx.io"]);
  });
  afterAll(async () => {
    await client?.close();
    await cluster?.stop();
  });

  it("FieldConflict names the fields and who set them, and is over once that manager gives them up", async () => {
    await client.apply(Widget, widget("shared", { text: "theirs", fixed: "1" }), { fieldManager: "them" });
    const found = await refusal(put(widget("shared", { text: "ours" })));
    expect(found).toMatchObject({ reason: "FieldConflict", isPassing: false });
    expect(found?.message).toMatch(
      /^cannot apply widgets.test.shieldx.io shared: .*\.spec\.text set by "them": have that manager/,
    );
    await client.apply(Widget, widget("shared", { fixed: "1" }), { fieldManager: "them" });
    expect(await refusal(put(widget("shared", { text: "ours" })))).toBeUndefined();
  });

  it("ImmutableField, by a schema's rule and by a built-in one, until the object is deleted", async () => {
    await put(widget("fixed", { fixed: "1" }));
    const found = await refusal(put(widget("fixed", { fixed: "2" })));
    expect(found).toMatchObject({ reason: "ImmutableField", isPassing: false });
    expect(found?.message).toMatch(/widgets.test.shieldx.io fixed: spec.fixed cannot be changed .*delete/);
    await client.delete(Widget, { name: "fixed" });
    expect(await refusal(put(widget("fixed", { fixed: "2" })))).toBeUndefined();

    const sealed = (value: string) =>
      client.apply(ConfigMap, configMap("default", "sealed", { value }, { immutable: true }), me);
    await sealed("1");
    expect(await refusal(sealed("2"))).toMatchObject({ reason: "ImmutableField" });
  });

  it("ObjectTooLarge, whichever limit it met", async () => {
    for (const size of [1_600_000, 4_000_000]) {
      const found = await refusal(put(widget("large", { text: "x".repeat(size) })));
      expect(found).toMatchObject({ reason: "ObjectTooLarge", isPassing: false });
      expect(found?.message).toMatch(/widgets.test.shieldx.io large: .*make it smaller/);
    }
    const data = { value: "x".repeat(1_100_000) };
    const found = await refusal(client.apply(ConfigMap, configMap("default", "large", data), me));
    expect(found).toMatchObject({ reason: "ObjectTooLarge" });
    expect(await refusal(put(widget("large", { text: "x" })))).toBeUndefined();
  });

  it("ObjectReplaced for one deleted meanwhile, and for one made anew under its name; ObjectChanged", async () => {
    const { object } = await put(widget("gone", { text: "1" }));
    await client.delete(Widget, { name: "gone" });
    const late = () => applyIfChanged(client, Widget, object, widget("gone", { text: "2" }), me);
    expect(await refusal(late())).toMatchObject({ reason: "ObjectReplaced", isPassing: true });
    expect(await client.find(Widget, { name: "gone" })).toBeUndefined();
    await put(widget("gone", { text: "another" }));
    expect(await refusal(late())).toMatchObject({ reason: "ObjectReplaced", isPassing: true });
    await expect(late()).rejects.toSatisfy(isReplaced);
    const stale = widget("gone", { text: "3" }, { resourceVersion: "1" });
    expect(await refusal(client.apply(Widget, stale, me))).toMatchObject({
      reason: "ObjectChanged",
      isPassing: true,
    });
  });

  it("MissingRights, QuotaExceeded, RefusedByAdmission, and namespaces that end or are not there", async () => {
    await kubectl(["create", "serviceaccount", "nobody"]);
    const kubeconfig = await cluster.serviceAccountKubeconfig("default", "nobody");
    const nobody = createClient({ credentials: await loadCredentials({ kubeconfig }) });
    const mayNot = await refusal(nobody.apply(Widget, widget("a", {}), me));
    await nobody.close();
    expect(mayNot).toMatchObject({ reason: "MissingRights" });
    expect(mayNot?.message).toMatch(/default:nobody cannot patch resource "widgets" .*grant the right/);

    await kubectl(["create", "namespace", "full"]);
    await kubectl(["create", "quota", "none", "-n", "full", "--hard=count/configmaps=0"]);
    const full = await waitFor(
      "the quota to hold",
      () => refusal(client.apply(ConfigMap, configMap("full", "a", {}), me)),
      { timeoutMs: 60_000, intervalMs: 50 },
    );
    expect(full).toMatchObject({ reason: "QuotaExceeded" });
    expect(full?.message).toMatch(/exceeded quota: none.*raise that ResourceQuota/);

    await kubectl(["create", "namespace", "ending"]);
    await kubectl(["patch", "namespace", "ending", "--type=merge", "-p", hold]);
    await kubectl(["delete", "namespace", "ending", "--wait=false"]);
    const ending = await refusal(client.apply(ConfigMap, configMap("ending", "a", {}), me));
    expect(ending).toMatchObject({ reason: "NamespaceTerminating" });
    const nowhere = await refusal(client.apply(ConfigMap, configMap("nowhere", "a", {}), me));
    expect(nowhere).toMatchObject({ reason: "NamespaceMissing" });

    await kubectl(["create", "-f", "-"], admissionPolicy);
    await kubectl(["create", "-f", "-"], admissionBinding);
    const denied = await waitFor(
      "the admission policy to hold",
      () => refusal(client.apply(ConfigMap, configMap("default", "denied", {}), { ...me, dryRun: true })),
      { timeoutMs: 60_000, intervalMs: 50 },
    );
    expect(denied).toMatchObject({ reason: "RefusedByAdmission" });
    expect(denied?.message).toMatch(/'no-denied' .* denied request: no such name.*let that policy/);
  });

  it("KindNotInstalled; and nothing for an object that is not there, or what passes by itself", async () => {
    const Unknown = resourceType<KubeObject>({ ...Widget, plural: "gadgets", kind: "Gadget" });
    const unknown = { apiVersion: "test.shieldx.io/v1", kind: "Gadget", metadata: { name: "a" } };
    const found = await refusal(client.apply(Unknown, unknown, me));
    expect(found).toMatchObject({ reason: "KindNotInstalled" });
    expect(await refusal(client.delete(Widget, { name: "nothing" }))).toBeUndefined();
    expect(refusalOf(new Error("connection reset"))).toBeUndefined();
  });
});

const hold = '{"metadata":{"finalizers":["test.shieldx.io/hold"]}}';
const admissionPolicy = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: { name: "no-denied" },
  spec: {
    matchConstraints: {
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
      ],
    },
    validations: [{ expression: "object.metadata.name != 'denied'", message: "no such name" }],
  },
};
const admissionBinding = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicyBinding",
  metadata: { name: "no-denied" },
  spec: { policyName: "no-denied", validationActions: ["Deny"] },
};

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, celPolicy, enforce, type Manifest, read } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** Policies that change objects, seen from outside: what `kubectl apply` stores. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;

beforeAll(async () => {
  cluster = await startCluster({ name: "mutations" });
  shieldx = await startShieldxOnHost(cluster, {
    chartValues: { "rbac.paramKinds[0].resources": "{configmaps}", "rbac.paramKinds[0].apiGroup": "" },
  });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
});

const about = (resources: string[], apiGroup = "", operations = ["CREATE", "UPDATE"]) => ({
  matchConstraints: {
    resourceRules: [{ apiGroups: [apiGroup], apiVersions: ["v1"], operations, resources }],
  },
});
const merge = (expression: string) => ({
  patchType: "ApplyConfiguration",
  applyConfiguration: { expression },
});
const patch = (expression: string) => ({ patchType: "JSONPatch", jsonPatch: { expression } });
const mutating = (name: string, mutations: object[], spec: Manifest = {}) =>
  celPolicy(name, { evaluation: "Webhook", ...about(["configmaps"]), mutations, ...spec });
const configMap = (name: string, more: Manifest = {}, namespace = "default"): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace },
  data: { a: "1" },
  ...more,
});

interface Stored {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: { readonly template?: { readonly spec?: PodSpec } };
  readonly data?: Readonly<Record<string, string>>;
}
interface PodSpec {
  readonly securityContext?: object;
  readonly containers?: readonly {
    readonly name: string;
    readonly image: string;
    securityContext?: object;
  }[];
}
/** What the API server makes of an object, by dry run. */
async function made(object: Manifest): Promise<Stored> {
  const { code, stdout, stderr } = await cluster.kubectl(
    ["create", "--dry-run=server", "-o", "json", "-f", "-"],
    { input: JSON.stringify(object) },
  );
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Stored;
}
const refusal = (object: Manifest) => made(object).then(() => "allowed", String);
const statusOf = async (name: string) =>
  (await read<{ status?: Record<string, unknown> }>(cluster, "shieldpolicy", name))?.status;

const deployment = (name: string, podSpec: Manifest = {}): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "app", image: "none.invalid/app" }], ...podSpec },
    },
  },
});

describe("a policy with mutations", () => {
  it("gives objects labels they lack and keeps those they have, in what is stored", async () => {
    const team = merge(
      "Object{metadata: Object.metadata{labels: {'team': has(object.metadata.labels) && 'team' in object.metadata.labels ? object.metadata.labels['team'] : 'nobody'}}}",
    );
    await enforce(cluster, mutating("team", [team]));
    expect(await statusOf("team")).toMatchObject({ enforcedBy: "Webhook", loadedBy: "1/1" });
    expect((await apply(cluster, configMap("plain"))).allowed).toBe(true);
    const labelled = { metadata: { name: "labelled", namespace: "default", labels: { team: "blue" } } };
    expect((await apply(cluster, configMap("labelled", labelled))).allowed).toBe(true);
    const stored = async (name: string) =>
      (await read<Stored>(cluster, "configmap", name))?.metadata.labels?.team;
    expect(await stored("plain")).toBe("nobody");
    expect(await stored("labelled")).toBe("blue");
    // kubectl apply a second time finds nothing to change, and nothing changes.
    const version = async () =>
      (await read<{ metadata: { resourceVersion: string } }>(cluster, "configmap", "plain"))?.metadata
        .resourceVersion;
    const before = await version();
    expect((await apply(cluster, configMap("plain"))).allowed).toBe(true);
    expect(await version()).toBe(before);
  });

  it("adds a sidecar by the list's key, then a default for every container, and validates the result", async () => {
    const sidecar = merge(
      "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [" +
        "Object.spec.template.spec.containers{name: 'proxy', image: 'none.invalid/proxy'}]}}}}",
    );
    const hardened = merge(
      "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{" +
        "securityContext: Object.spec.template.spec.securityContext{runAsNonRoot: true}, containers: " +
        "object.spec.template.spec.containers.map(c, Object.spec.template.spec.containers{name: c.name, " +
        "securityContext: Object.spec.template.spec.containers.securityContext{allowPrivilegeEscalation: false}})}}}}",
    );
    const rule = {
      expression:
        "object.spec.template.spec.containers.all(c, has(c.securityContext) && !c.securityContext.allowPrivilegeEscalation)",
      message: "no privilege escalation",
    };
    // By name the hardening comes first: what the later policy adds is treated all the same.
    await enforce(
      cluster,
      mutating("a-hardened", [hardened], { ...about(["deployments"], "apps"), validations: [rule] }),
    );
    await enforce(cluster, mutating("b-sidecar", [sidecar], about(["deployments"], "apps")));
    const { spec } = await made(deployment("web"));
    const { containers = [], securityContext } = spec?.template?.spec ?? {};
    expect(securityContext).toEqual({ runAsNonRoot: true });
    expect(containers.map(({ name, image, securityContext: of }) => [name, image, of])).toEqual([
      ["app", "none.invalid/app", { allowPrivilegeEscalation: false }],
      ["proxy", "none.invalid/proxy", { allowPrivilegeEscalation: false }],
    ]);
    await cluster.kubectl(["delete", "shieldpolicy", "a-hardened", "--wait=true"]);
    await enforce(
      cluster,
      mutating("c-judged", [merge("Object{metadata: Object.metadata{labels: {'seen': 'yes'}}}")], {
        ...about(["deployments"], "apps"),
        validations: [rule],
      }),
    );
    expect(await refusal(deployment("web"))).toContain("no privilege escalation");
  });

  it("patches, but not where a test fails", async () => {
    const operations = [
      "[JSONPatch{op: 'test', path: '/data/' + jsonpatch.escapeKey('a/b'), value: 'old'}, ",
      "JSONPatch{op: 'replace', path: '/data/' + jsonpatch.escapeKey('a/b'), value: 'new'}]",
    ];
    const conditions = [{ name: "has", expression: "has(object.data) && 'a/b' in object.data" }];
    await enforce(
      cluster,
      mutating("patched", [patch(operations.join(""))], { matchConditions: conditions }),
    );
    // The key of a ConfigMap holds no slash, so that this object is refused after it was changed.
    expect(await refusal(configMap("slash", { data: { "a/b": "old" } }))).toContain("a/b");
    const dots = operations.join("").replaceAll("a/b", "a.b");
    await enforce(
      cluster,
      mutating("patched", [patch(dots)], {
        matchConditions: [{ name: "has", expression: "has(object.data) && 'a.b' in object.data" }],
      }),
    );
    expect((await made(configMap("dot", { data: { "a.b": "old" } }))).data).toEqual({ "a.b": "new" });
    expect((await made(configMap("dot", { data: { "a.b": "other" } }))).data).toEqual({ "a.b": "other" });
  });

  it("takes values from a parameter object, and follows it", async () => {
    const settings = (team: string) =>
      apply(cluster, configMap("settings", { data: { team } }, "kube-public"));
    expect((await settings("blue")).allowed).toBe(true);
    await enforce(
      cluster,
      mutating("team", [merge("Object{metadata: Object.metadata{labels: {'team': params.data.team}}}")], {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        paramRef: { name: "settings", namespace: "kube-public", parameterNotFoundAction: "Deny" },
      }),
    );
    const team = async () => (await made(configMap("one"))).metadata.labels?.team;
    expect(await team()).toBe("blue");
    expect((await settings("green")).allowed).toBe(true);
    await waitFor("the new value", async () => (await team()) === "green");
    await cluster.kubectl(["delete", "configmap", "settings", "-n", "kube-public"]);
    await waitFor("refused", async () => (await refusal(configMap("one"))).includes("no params found"));
  });

  it("is held against its tests as it changes their objects", async () => {
    const labelled = (decision: "allow" | "deny") =>
      mutating("tested", [merge("Object{metadata: Object.metadata{labels: {'team': 'blue'}}}")], {
        validations: [{ expression: "object.metadata.?labels[?'team'].hasValue()" }],
        tests: [{ name: "unlabelled", object: configMap("one"), expect: { decision } }],
      });
    const refused = await apply(cluster, labelled("deny"));
    expect(refused.message).toContain('case "unlabelled": expected it to be denied, but it was allowed');
    await enforce(cluster, labelled("allow"));
  });

  it("refuses by failurePolicy what would never come to rest, saying what changes again", async () => {
    const grows = patch("[JSONPatch{op: 'add', path: '/data/a', value: object.data['a'] + '+'}]");
    await enforce(cluster, mutating("grows", [grows]));
    const refused = await refusal(configMap("grown"));
    expect(refused).toContain('ShieldPolicy "grows" could not be evaluated for ConfigMap "default/grown"');
    expect(refused).toContain("applied a second time it changes /data/a again");
    await enforce(cluster, mutating("grows", [grows], { failurePolicy: "Ignore" }));
    await waitFor("let pass unchanged", async () => (await refusal(configMap("grown"))) === "allowed");
    expect((await made(configMap("grown"))).data).toEqual({ a: "1" });
  });

  it("leaves alone what has an exception, is being deleted, or lies in a namespace that is never judged", async () => {
    const mark = merge("Object{metadata: Object.metadata{labels: {'marked': 'yes'}}}");
    await enforce(
      cluster,
      mutating("marked", [mark], { exceptions: { namespaces: { names: ["default"] } } }),
    );
    const isMarked = async (name: string, namespace = "default") =>
      (await made(configMap(name, {}, namespace))).metadata.labels?.marked === "yes";
    expect(await isMarked("one")).toBe(true);
    expect(await isMarked("one", "kube-system")).toBe(false);
    await apply(cluster, {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "one", namespace: "default" },
      spec: {
        policies: ["marked"],
        match: { names: ["one"] },
        owner: "team@example.org",
        reason: "has labels of its own",
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      },
    });
    await waitFor("excepted", async () => !(await isMarked("one")));
    expect(await isMarked("two")).toBe(true);
    await cluster.kubectl(["delete", "shieldpolicy", "marked", "--wait=true"]);
    const metadata = { name: "dying", namespace: "default", finalizers: ["example.org/hold"] };
    expect((await apply(cluster, configMap("dying", { metadata }))).allowed).toBe(true);
    await cluster.kubectl(["delete", "configmap", "dying", "--wait=false"]);
    await enforce(cluster, mutating("marked", [mark]));
    await cluster.kubectl(["annotate", "configmap", "dying", "still=here"]);
    const dying = (await read<Stored>(cluster, "configmap", "dying"))?.metadata;
    expect([dying?.annotations?.still, dying?.labels]).toEqual(["here", undefined]);
    await cluster.kubectl(["patch", "configmap", "dying", "-p", '{"metadata":{"finalizers":null}}']);
    await cluster.kubectl(["delete", "shieldexceptions", "--all", "-n", "default"]);
  });

  it("is refused where it cannot be compiled, would warn, or changes what it must not", async () => {
    const refused = await apply(cluster, mutating("bad", [merge("Object{spec: ")]));
    expect(refused.message).toMatch(/spec\.mutations\[0\]\.applyConfiguration\.expression: line 1, column/);
    const warns = await apply(
      cluster,
      mutating("bad", [merge("Object{}")], { actions: { admission: "warn" } }),
    );
    expect(warns.message).toContain("it cannot warn");
    await enforce(
      cluster,
      mutating("renames", [patch("[JSONPatch{op: 'replace', path: '/metadata/name', value: 'other'}]")]),
    );
    expect(await refusal(configMap("mine"))).toContain("metadata.name, which no mutation may");
  });

  it("merges custom resources by their own schema, also one that was defined a moment ago", async () => {
    const plural = "gadgets.example.org";
    const item = {
      type: "object",
      properties: { name: { type: "string" }, size: { type: "integer" } },
      required: ["name"],
    };
    const parts = {
      type: "array",
      items: item,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    };
    await apply(cluster, {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: plural },
      spec: {
        group: "example.org",
        scope: "Namespaced",
        names: { plural: "gadgets", kind: "Gadget" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties: { parts } } },
          },
        ],
      },
    });
    const wheel = merge("Object{parts: [Object.parts{name: 'wheel', size: 4}]}");
    await enforce(cluster, mutating("wheels", [wheel], about(["gadgets"], "example.org")));
    const gadget = {
      apiVersion: "example.org/v1",
      kind: "Gadget",
      metadata: { name: "g", namespace: "default" },
      parts: [{ name: "door", size: 1 }],
    };
    await waitFor("served", async () => (await refusal(gadget)) === "allowed");
    expect(await made(gadget)).toMatchObject({
      parts: [
        { name: "door", size: 1 },
        { name: "wheel", size: 4 },
      ],
    });
    // A whole number that a double cannot hold stays what it is.
    const [first] = gadget.parts;
    const large = JSON.stringify({ ...gadget, parts: [first] }).replace(
      '"size":1',
      '"size":9007199254740993',
    );
    const flags = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    expect((await cluster.kubectl(flags, { input: large })).stdout).toMatch(/"size": ?9007199254740993\b/);
  });

  it("is put back when somebody takes its webhook away, and leaves nothing behind", async () => {
    const name = "shieldx-mutations";
    await enforce(
      cluster,
      mutating("kept", [merge("Object{metadata: Object.metadata{labels: {'k': 'v'}}}")]),
    );
    const published = () => read<{ webhooks: object[] }>(cluster, "mutatingwebhookconfiguration", name);
    const before = (await published())?.webhooks;
    expect(JSON.stringify(before)).not.toContain('"*"]');
    await cluster.kubectl(["delete", "mutatingwebhookconfiguration", name]);
    const restored = await waitFor("restored", async () => (await published())?.webhooks);
    expect(restored).toEqual(before);
    await cluster.kubectl(["delete", "shieldpolicy", "kept", "--wait=true"]);
    await waitFor("gone", async () => (await published()) === undefined);
  });
});

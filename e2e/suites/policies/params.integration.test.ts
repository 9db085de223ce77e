import {
  ApiError,
  type Client,
  ConfigMap,
  type KubeObject,
  Namespace,
  type ResourceType,
  resourceType,
} from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import {
  apply,
  celPolicy,
  type Manifest,
  read,
  ShieldPolicy,
  untilCondition,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/**
 * Parameters of policies of engine cel: what the webhook says is held against what the API server says of the same policy,
 * and what changes of parameters do is seen from outside.
 */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let client: Client;

beforeAll(async () => {
  cluster = await startCluster({ name: "params" });
  shieldx = await startShieldxOnHost(cluster, {
    chartValues: {
      "rbac.paramKinds[0].resources": "{configmaps,namespaces}",
      "rbac.paramKinds[0].apiGroup": "",
      "rbac.paramKinds[1].apiGroup": "rules.example.com",
      "rbac.paramKinds[1].resources": "{limits}",
      "rbac.auditedKinds[0].resources": "{services}",
      "rbac.auditedKinds[0].apiGroup": "",
    },
  });
  [client] = await clientsOf(cluster);
  // Of a kind that is not served the API server wants to see the right to all of its group.
  const everything = ["--verb=get", "--resource=*.rules.example.com"];
  await cluster.kubectl(["create", "clusterrole", "rules", ...everything]);
  await cluster.kubectl([
    ...["create", "clusterrolebinding", "rules", "--clusterrole=rules"],
    ...["operator", "webhooks"].map((name) => `--serviceaccount=shieldx-system:shieldx-${name}`),
  ]);
  for (const object of surroundings) expect(await apply(cluster, object)).toMatchObject({ allowed: true });
  await cluster.kubectl(["wait", "--for=condition=Established", "crd/limits.rules.example.com"]);
  for (const object of limits) expect(await apply(cluster, object)).toMatchObject({ allowed: true });
});
afterAll(async () => {
  await client?.close();
  await shieldx?.stop();
  await cluster?.stop();
});

const namespace = (name: string, labels: Record<string, string> = {}): Manifest => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});
const limit = (name: string, where: string, max: number, labels: Record<string, string> = {}): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: where, labels },
  data: { max: String(max) },
});
const definition: Manifest = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "limits.rules.example.com" },
  spec: {
    group: "rules.example.com",
    scope: "Cluster",
    names: { kind: "Limit", plural: "limits", singular: "limit" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              data: { type: "object", additionalProperties: { type: "string" } },
            },
          },
        },
      },
    ],
  },
};
/** Two that a selector finds in team-a, one in team-b, none in team-c. */
const surroundings: readonly Manifest[] = [
  definition,
  namespace("team-a", { max: "4" }),
  namespace("team-b"),
  namespace("team-c"),
  limit("size", "team-a", 2, { limits: "size", tier: "gold" }),
  limit("other", "team-a", 7, { limits: "size", tier: "lead" }),
  limit("size", "team-b", 6, { limits: "size" }),
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "empty", namespace: "team-b" } },
];
const limits: readonly Manifest[] = [3, 8].map((max) => ({
  apiVersion: "rules.example.com/v1",
  kind: "Limit",
  metadata: { name: `max-${max}`, labels: { limits: "size" } },
  data: { max: String(max) },
}));

const configMap = { apiVersion: "v1", kind: "ConfigMap" };
const ourLimit = { apiVersion: "rules.example.com/v1", kind: "Limit" };
const selector = { matchLabels: { limits: "size" } };
const notGold = { matchExpressions: [{ key: "tier", operator: "NotIn", values: ["gold"] }], ...selector };

interface Form {
  readonly paramKind: Manifest;
  readonly paramRef: Manifest;
  readonly more?: Manifest;
  /** The webhook cannot evaluate it, and says so. */
  readonly cannotJudge?: string;
}
const deny = { parameterNotFoundAction: "Deny" };
const allow = { parameterNotFoundAction: "Allow" };
const forms: Readonly<Record<string, Form>> = {
  "name-deny": { paramKind: configMap, paramRef: { name: "size", ...deny } },
  "name-allow": { paramKind: configMap, paramRef: { name: "size", ...allow } },
  "name-elsewhere": { paramKind: configMap, paramRef: { name: "size", namespace: "team-b", ...deny } },
  "name-nowhere-deny": { paramKind: configMap, paramRef: { name: "size", namespace: "team-x", ...deny } },
  "name-nowhere-allow": { paramKind: configMap, paramRef: { name: "size", namespace: "team-x", ...allow } },
  "name-ignore": {
    paramKind: configMap,
    paramRef: { name: "size", ...deny },
    more: { failurePolicy: "Ignore" },
  },
  "empty-param": { paramKind: configMap, paramRef: { name: "empty", namespace: "team-b", ...deny } },
  "selector-deny": { paramKind: configMap, paramRef: { selector, ...deny } },
  "selector-allow": { paramKind: configMap, paramRef: { selector, ...allow } },
  "selector-elsewhere": { paramKind: configMap, paramRef: { selector, namespace: "team-a", ...deny } },
  "selector-not": { paramKind: configMap, paramRef: { selector: notGold, ...deny } },
  "cluster-name": { paramKind: ourLimit, paramRef: { name: "max-3", ...deny } },
  "cluster-selector": { paramKind: ourLimit, paramRef: { selector, ...deny } },
  "cluster-all": { paramKind: ourLimit, paramRef: { selector: {}, ...allow } },
  "cluster-in-namespace": { paramKind: ourLimit, paramRef: { name: "max-3", namespace: "team-a", ...deny } },
  "cluster-missing": { paramKind: ourLimit, paramRef: { name: "max-9", ...deny } },
  "built-in-cluster": {
    paramKind: { apiVersion: "v1", kind: "Namespace" },
    paramRef: { name: "team-a", ...deny },
  },
  conditions: {
    paramKind: configMap,
    paramRef: { selector, ...allow },
    more: {
      matchConditions: [{ name: "lead", expression: "params.metadata.?labels.?tier.orValue('') == 'lead'" }],
    },
  },
  "not-served": {
    paramKind: { apiVersion: "rules.example.com/v1", kind: "Nothing" },
    paramRef: { name: "x", ...deny },
    cannotJudge: "KindNotInstalled",
  },
};

const policy = (form: Form, name: string, evaluation: string): Manifest =>
  celPolicy(name, {
    evaluation,
    paramKind: form.paramKind,
    paramRef: form.paramRef,
    matchConstraints: {
      objectSelector: { matchLabels: { case: name } },
      resourceRules: [
        {
          apiGroups: [""],
          apiVersions: ["v1"],
          operations: ["CREATE"],
          resources: ["configmaps", "namespaces"],
        },
        {
          apiGroups: ["storage.k8s.io"],
          apiVersions: ["v1"],
          operations: ["CREATE"],
          resources: ["storageclasses"],
        },
      ],
    },
    variables: [
      { name: "max", expression: "has(params.data) ? params.data.max : params.metadata.labels.max" },
    ],
    validations: [
      {
        expression: "int(object.metadata.annotations.size) <= int(variables.max)",
        messageExpression: "'at most ' + variables.max + ' by ' + params.kind + ' ' + params.metadata.name",
        reason: "Forbidden",
      },
    ],
    ...form.more,
  });

const storageClass = resourceType<KubeObject>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  namespaced: false,
});
type Subject = readonly [type: ResourceType, where: string | undefined, size: number];
const subjects: readonly Subject[] = [
  ...["team-a", "team-b", "team-c"].flatMap((where) =>
    [1, 5, 9].map((size) => [ConfigMap, where, size] as const),
  ),
  [storageClass, undefined, 5],
  [Namespace, undefined, 5],
] as readonly Subject[];

/** Why the request would be refused, in the words of the policy; undefined: it would not. */
async function judge([type, where, size]: Subject, name: string): Promise<string | undefined> {
  const apiVersion = type.group === "" ? type.version : `${type.group}/${type.version}`;
  const object = {
    apiVersion,
    kind: type.kind,
    metadata: {
      name: "judged",
      ...(where === undefined ? {} : { namespace: where }),
      labels: { case: name },
      annotations: { size: String(size) },
    },
    ...(type === storageClass ? { provisioner: "example.com/none" } : {}),
  } as unknown as KubeObject;
  try {
    await client.create(type, object, { dryRun: true });
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return `${error.code} ${error.status.message}`;
  }
}

/** What is left of the API server's words without those that name the rendered objects. */
function ownWords(refusal: string): string {
  return refusal.replace(/^.*? denied request: (?:ShieldPolicy "[^"]*": )?/s, "");
}

interface Status {
  readonly status?: {
    readonly enforcedBy?: string;
    readonly counts?: { readonly violating?: number };
    readonly conditions?: readonly {
      readonly type: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}
const statusOf = async (name: string) => (await read<Status>(cluster, "shieldpolicy", name))?.status;

async function applied(manifest: Manifest): Promise<void> {
  expect(await apply(cluster, manifest)).toEqual({ allowed: true, message: expect.any(String) as string });
}

describe("a policy with parameters", () => {
  const cases = Object.entries(forms);

  beforeAll(async () => {
    const items = cases.flatMap(([name, form]) => [
      policy(form, `${name}-n`, "Native"),
      policy(form, `${name}-w`, "Webhook"),
    ]);
    await Promise.all(
      items.map((item) => client.apply(ShieldPolicy, item as never, { fieldManager: "e2e" })),
    );
    const settled = async () => {
      const list = await read<{ items: (Status & { metadata: { name: string } })[] }>(
        cluster,
        "shieldpolicies",
      );
      const open = list?.items.filter(({ metadata, status }) => {
        const cannotJudge = forms[metadata.name.replace(/-w$/, "")]?.cannotJudge;
        const reason = cannotJudge ?? "InForce";
        return status?.conditions?.some((condition) => condition.reason === reason) !== true;
      });
      return open?.length === 0;
    };
    await waitFor("all policies in force", settled, { timeoutMs: 60_000, everyMs: 500 });
  }, 120_000);
  afterAll(async () => {
    await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
  });

  it.each(cases)(
    "of the form %s is judged by the webhook as by the API server",
    async (name, { cannotJudge }) => {
      if (cannotJudge !== undefined) {
        const degraded = (await statusOf(`${name}-w`))?.conditions?.find(({ type }) => type === "Degraded");
        expect(degraded?.reason).toBe(cannotJudge);
      }
      for (const subject of subjects) {
        // API servers take rendered policies in about once a second.
        const [native, webhook] = await Promise.all([
          judge(subject, `${name}-n`),
          judge(subject, `${name}-w`),
        ]);
        const about = `${subject[0].kind} of size ${subject[2]} in ${subject[1]}`;
        expect({ about, isRefused: webhook !== undefined, webhook }).toMatchObject({
          about,
          isRefused: native !== undefined,
          ...(native === undefined ? {} : { webhook: expect.stringContaining(ownWords(native)) }),
        });
        if (native !== undefined) expect([about, webhook?.slice(0, 3)]).toEqual([about, native.slice(0, 3)]);
      }
    },
  );

  it("is judged in many cases, some of which are refused and some not", async () => {
    const verdicts = await Promise.all(
      subjects.map(async (subject) => (await judge(subject, "selector-deny-w")) !== undefined),
    );
    expect(verdicts).toEqual([false, true, true, false, false, true, true, true, true, true, true]);
    expect(cases.length * subjects.length).toBeGreaterThan(200);
  });

  it("says what each parameter object has to say", async () => {
    const refused = await judge([ConfigMap, "team-a", 9], "selector-deny-w");
    expect(refused).toContain("at most 7 by ConfigMap other; at most 2 by ConfigMap size");
  });

  it("takes in changes, new ones, and deletions of parameters", async () => {
    const inB = (size: number) => judge([ConfigMap, "team-b", size], "name-deny-w");
    expect(await inB(5)).toBeUndefined();
    await applied(limit("size", "team-b", 4, { limits: "size" }));
    await waitFor("the lower limit", async () => (await inB(5))?.includes("at most 4"));
    await applied(limit("second", "team-b", 3, { limits: "size" }));
    const bySelector = () => judge([ConfigMap, "team-b", 5], "selector-deny-w");
    await waitFor("a second parameter", async () =>
      (await bySelector())?.includes("at most 3 by ConfigMap second"),
    );
    await cluster.kubectl(["delete", "configmap", "second", "-n", "team-b"]);
    await waitFor("the second gone", async () => (await bySelector())?.includes("second") === false);
    await cluster.kubectl(["delete", "configmap", "size", "-n", "team-b"]);
    await waitFor("none found", async () => (await inB(1))?.includes("no params found"));
    const allowed = () => judge([ConfigMap, "team-b", 9], "name-allow-w");
    await waitFor("passes without", async () => (await allowed()) === undefined);
    await applied(limit("size", "team-b", 6, { limits: "size" }));
    await waitFor("back again", async () => (await inB(5)) === undefined);
  });
});

describe("parameters", () => {
  it("are known before a policy is in force, also to a replica that starts, and while it changes hands", async () => {
    const named = (evaluation: string) => policy(forms["name-deny"] as Form, "handed", evaluation);
    await applied(named("Webhook"));
    await untilCondition(cluster, ["shieldpolicy", "handed"], "Ready", "True");
    const outcomes = new Set<string | undefined>();
    const good = async () => void outcomes.add(await judge([ConfigMap, "team-a", 1], "handed"));
    const bad = async () => (await judge([ConfigMap, "team-a", 9], "handed")) ?? "let through";
    let isOver = false;
    const bads = new Set<string>();
    const asking = (async () => {
      while (!isOver) {
        await good();
        bads.add(await bad());
      }
    })();
    for (const evaluation of ["Native", "Webhook"]) {
      await applied(named(evaluation));
      await untilCondition(cluster, ["shieldpolicy", "handed"], "Ready", "True");
      expect(await statusOf("handed")).toMatchObject({ enforcedBy: evaluation });
    }
    isOver = true;
    await asking;
    expect([...outcomes]).toEqual([undefined]);
    expect([...bads].filter((refusal) => !refusal.includes("at most 2"))).toEqual([]);
    const [first] = shieldx.webhooks;
    await first?.stop();
    await shieldx.startWebhooks();
    expect(await judge([ConfigMap, "team-a", 1], "handed")).toBeUndefined();
    expect(await judge([ConfigMap, "team-a", 9], "handed")).toContain("at most 2");
    await cluster.kubectl(["delete", "shieldpolicy", "handed"]);
  });

  it("that may not be read are named with the right that is missing, and looked at once it is there", async () => {
    const quotas = { apiVersion: "v1", kind: "ResourceQuota" };
    const form = { paramKind: quotas, paramRef: { name: "max", ...deny } };
    const allowsAll = { validations: [{ expression: "params.spec.hard.pods == '1'", message: "not one" }] };
    await applied(policy({ ...form, more: allowsAll }, "unread", "Webhook"));
    await untilCondition(cluster, ["shieldpolicy", "unread"], "Degraded", "True");
    const enforced = (await statusOf("unread"))?.conditions?.find(({ type }) => type === "Enforced");
    expect(enforced).toMatchObject({ reason: "MissingRights" });
    expect(enforced?.message).toContain(
      'ShieldX may not read resourcequotas "max": set rbac.paramKinds of the chart, or grant list and watch',
    );
    expect(await judge([ConfigMap, "team-a", 1], "unread")).toContain("may not read resourcequotas");
    await applied({
      ...quotas,
      metadata: { name: "max", namespace: "team-a" },
      spec: { hard: { pods: "1" } },
    });
    // No more than the policy needs: one name.
    await cluster.kubectl([
      ...["create", "clusterrole", "quotas", "--verb=list,watch", "--resource=resourcequotas"],
      "--resource-name=max",
    ]);
    await cluster.kubectl([
      ...["create", "clusterrolebinding", "quotas", "--clusterrole=quotas"],
      "--serviceaccount=shieldx-system:shieldx-webhooks",
    ]);
    const isReady = async () =>
      (await statusOf("unread"))?.conditions?.some(({ reason }) => reason === "InForce");
    await waitFor("the policy in force", isReady, { timeoutMs: 60_000 });
    expect(await judge([ConfigMap, "team-a", 1], "unread")).toBeUndefined();
    await cluster.kubectl(["delete", "shieldpolicy", "unread"]);
  });

  it("are held against existing objects, again when one changes", async () => {
    const service = (name: string, where: string) =>
      apply(cluster, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace: where, annotations: { size: "5" } },
        spec: { ports: [{ port: 80 }] },
      });
    for (const where of ["team-a", "team-b", "team-c"]) await service("audited", where);
    const audited = policy(forms["name-allow"] as Form, "audited", "Native") as { readonly spec: Manifest };
    const spec = {
      ...audited.spec,
      matchConstraints: {
        objectSelector: { matchExpressions: [{ key: "component", operator: "DoesNotExist" }] },
        namespaceSelector: {
          matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["default"] }],
        },
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["services"] },
        ],
      },
      actions: { admission: "audit", background: "audit" },
    };
    await applied({ ...audited, spec });
    const violating = async (count: number) => (await statusOf("audited"))?.counts?.violating === count;
    await waitFor("team-a's Service counted", () => violating(1), { timeoutMs: 60_000 });
    await applied(limit("size", "team-b", 1, { limits: "size" }));
    await waitFor("team-b's too", () => violating(2));
    await applied(limit("size", "team-a", 9, { limits: "size", tier: "gold" }));
    await waitFor("team-a's no more", () => violating(1));
  });
});

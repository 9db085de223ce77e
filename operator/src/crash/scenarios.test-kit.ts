import {
  type Client,
  type KubeObject,
  Pod,
  type ResourceType,
  Secret,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { CA_SECRET, TLS_SECRET } from "@shieldx/crds";
import { readTlsSecret, readTrustBundle } from "@shieldx/pki";
import { NAMESPACE, type TestBed } from "../cluster.test-kit.ts";
import { readBundle } from "../controllers/certificates/bundle-entry.ts";
import { decode } from "../controllers/certificates/decide.ts";
import { ReportType, ShieldExceptionType, ShieldPolicyType } from "../kinds.ts";
import { readStanding, resetStanding } from "./standing-state.test-kit.ts";

export interface Step {
  act(bed: TestBed): Promise<unknown>;
  /** What an operator that is alive brings about; the next step waits for it. */
  until(state: EndState): boolean;
}

export interface Scenario {
  readonly name: string;
  /** Steps are made anew for each run: some hold a time. */
  steps(): readonly Step[];
}

/** The end of a run, without what differs between two undisturbed ones: uids, times, keys, versions. */
export type EndState = Readonly<Record<string, readonly Entry[]>>;
export interface Entry {
  readonly name: string;
  readonly [field: string]: unknown;
}

const READ: Readonly<Record<string, ResourceType>> = {
  policies: ShieldPolicyType as ResourceType,
  exceptions: ShieldExceptionType as ResourceType,
  native: ValidatingAdmissionPolicy as ResourceType,
  bindings: ValidatingAdmissionPolicyBinding as ResourceType,
  webhooks: ValidatingWebhookConfiguration as ResourceType,
  reports: ReportType,
};

/** Reads everything the operator keeps. */
export async function readState(client: Client): Promise<EndState> {
  const kinds = await Promise.all(
    Object.entries(READ).map(async ([name, type]) => {
      const { items } = await client.list(type);
      const entries = items.map(normalized).sort((a, b) => (a.name < b.name ? -1 : 1));
      return [name, entries] as const;
    }),
  );
  const standing = await readStanding(client, normalized);
  return { ...Object.fromEntries(kinds), ...standing, certificates: [await certificates(client)] };
}

const VOLATILE: ReadonlySet<string> = new Set([
  "lastTransitionTime",
  "lastScanTime",
  "digest",
  "uid",
  "caBundle",
  "timestamp",
  "typeChecking",
  "managedFields",
]);

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function normalized(object: KubeObject): Entry {
  const { apiVersion, kind: _, metadata, status, ...spec } = object;
  // The status of native objects is the controller manager's, and counts how often they were written.
  const rest = apiVersion.startsWith("shieldx.io/") ? { ...spec, status } : spec;
  const text = JSON.stringify(rest, (key, value: unknown) => (VOLATILE.has(key) ? undefined : value));
  const { name, namespace, labels, ownerReferences } = metadata;
  return {
    // A Report is named after the uid of what it is about.
    name: (namespace === undefined ? name : `${namespace}/${name}`).replace(UUID, "(uid)"),
    labels,
    owners: ownerReferences?.map((owner) => `${owner.kind} ${owner.name}`),
    ...(JSON.parse(text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "(time)")) as object),
  };
}

/** What has to hold of certificates whatever they are: one story in state, served leaf and published bundles. */
async function certificates(client: Client): Promise<Entry> {
  const [ca, tls, configurations] = await Promise.all([
    client.find(Secret, { namespace: NAMESPACE, name: CA_SECRET }),
    client.find(Secret, { namespace: NAMESPACE, name: TLS_SECRET }),
    client.list(ValidatingWebhookConfiguration),
  ]);
  if (ca === undefined || tls === undefined) return { name: "none", hasCa: ca !== undefined };
  const state = readTrustBundle(decode(ca.data));
  const bundle = readBundle(ca) ?? "";
  const published = configurations.items.flatMap(({ webhooks = [] }) =>
    webhooks.map((entry) => Buffer.from(entry.clientConfig.caBundle ?? "", "base64").toString()),
  );
  const { serving, candidate } = readTlsSecret(decode(tls.data));
  return {
    name: "certificates",
    phase: state.phase,
    authorities: bundle.split("BEGIN CERTIFICATE").length - 1,
    isBundlePublished: published.every((each) => each === bundle),
    hasCandidate: candidate !== undefined,
    hasLeaf: serving.certificatePem !== "",
    rotation: ca.metadata.annotations?.["shieldx.io/rotate"],
  };
}

/** Takes away what a run left, so that the next begins from nothing. */
export async function reset(client: Client): Promise<void> {
  const all = { query: { gracePeriodSeconds: 0 } };
  const of = async (path: string) => {
    await client.request("DELETE", path, all);
  };
  await resetStanding(client);
  await of("/apis/shieldx.io/v1alpha1/shieldpolicies");
  await of("/apis/shieldx.io/v1alpha1/namespaces/default/shieldexceptions");
  await Promise.all([
    of("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"),
    of("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"),
    of("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"),
    of("/apis/openreports.io/v1alpha1/namespaces/default/reports"),
    of(`/api/v1/namespaces/${NAMESPACE}/secrets`),
  ]);
  const { items } = await client.list(Pod, { namespace: "default" });
  for (const { metadata } of items) await client.delete(Pod, metadata, { gracePeriodSeconds: 0 });
}

const meta = (name: string) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
});
const celPolicy = (name: string, expression: string) => ({
  ...meta(name),
  spec: {
    engine: "cel",
    actions: { admission: "deny" },
    matchConstraints: {
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
      ],
    },
    validations: [{ expression, message: "not this one" }],
    exceptions: { namespaces: { names: ["default"] } },
  },
});
const podSecurityPolicy = (name: string, level: string, over: object = {}) => ({
  ...meta(name),
  spec: {
    engine: "podSecurity",
    podSecurity: { level },
    actions: { admission: "warn", background: "off" },
    ...over,
  },
});
const exception = (name: string, policy: string, lastsMs: number) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name, namespace: "default" },
  spec: {
    policies: [policy],
    owner: "team-a",
    reason: "for as long as the run lasts",
    expiresAt: new Date(Date.now() + lastsMs).toISOString(),
    match: { names: [name] },
  },
});
const pod = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { hostNetwork: true, containers: [{ name: "main", image: "none.invalid/none" }] },
});

const isReady = (state: EndState, name: string): boolean =>
  entry(state.policies, name)?.status?.conditions?.some(
    ({ type, status, observedGeneration }) =>
      type === "Ready" &&
      status === "True" &&
      observedGeneration === entry(state.policies, name)?.status?.observedGeneration,
  ) === true;
const entry = (entries: readonly Entry[] | undefined, name: string) =>
  entries?.find((each) => each.name === name) as (Entry & { status?: Status }) | undefined;
interface Status {
  readonly observedGeneration?: number;
  readonly counts?: { readonly violating: number };
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly observedGeneration: number;
  }[];
}
const holds = (state: EndState, words: string): boolean => JSON.stringify(state).includes(words);

export const celScenario: Scenario = {
  name: "a cel policy comes, changes, goes",
  steps: () => [
    {
      act: (bed) => bed.apply(celPolicy("kept", "object.metadata.name != 'one'")),
      until: (state) => isReady(state, "kept"),
    },
    {
      act: (bed) => bed.apply(celPolicy("kept", "object.metadata.name != 'two'"), celPolicy("gone", "true")),
      until: (state) =>
        JSON.stringify(state.native).includes("two") && isReady(state, "kept") && isReady(state, "gone"),
    },
    {
      act: (bed) => bed.kubectl(["delete", "shieldpolicy", "gone"]),
      until: (state) => !holds(state, "shieldx-gone"),
    },
  ],
};

const named = (...names: string[]) =>
  names.map((name) => celPolicy(name, `object.metadata.name != 'no-${name}'`));
export const mergedScenario: Scenario = {
  name: "four cel policies share an admission policy, and part when one goes",
  steps: () => [
    {
      act: (bed) => bed.apply(...named("a", "b", "c")),
      until: (state) => ["a", "b", "c"].every((name) => isReady(state, name)),
    },
    {
      act: (bed) => bed.apply(...named("d")),
      until: (state) => isReady(state, "d") && state.native?.length === 1 && state.bindings?.length === 1,
    },
    {
      act: (bed) => bed.kubectl(["delete", "shieldpolicy", "b"]),
      until: (state) =>
        ["a", "c", "d"].every((name) => entry(state.bindings, `shieldx-${name}`) !== undefined) &&
        state.native?.length === 3,
    },
  ],
};

export const podSecurityScenario: Scenario = {
  name: "podSecurity policies: certificates from nothing, webhook configurations published and taken back",
  steps: () => [
    {
      act: (bed) =>
        bed.apply(podSecurityPolicy("kept", "baseline"), podSecurityPolicy("gone", "restricted", deny)),
      until: (state) => isReady(state, "kept") && isReady(state, "gone"),
    },
    {
      act: (bed) => bed.apply(podSecurityPolicy("kept", "restricted")),
      until: (state) =>
        isReady(state, "kept") && entry(state.policies, "kept")?.status?.observedGeneration === 2,
    },
    {
      act: (bed) => bed.kubectl(["delete", "shieldpolicy", "gone"]),
      until: (state) => entry(state.webhooks, "shieldx-policies-fail") === undefined,
    },
  ],
};
const deny = { actions: { admission: "deny", background: "off" } };

export const rotationScenario: Scenario = {
  name: "a rotation of the authority and its leaf",
  steps: () => [
    {
      act: (bed) => bed.apply(podSecurityPolicy("kept", "baseline")),
      until: (state) => isReady(state, "kept") && holds(state, '"phase":"Stable"'),
    },
    {
      act: (bed) =>
        bed.kubectl([
          "annotate",
          "secret",
          "-n",
          NAMESPACE,
          CA_SECRET,
          "--overwrite",
          "shieldx.io/rotate=ca:1",
        ]),
      until: (state) => holds(state, '"phase":"Distribute"') || holds(state, '"phase":"Retire"'),
    },
    {
      act: async () => undefined,
      until: (state) =>
        holds(state, '"phase":"Stable"') &&
        holds(state, '"isBundlePublished":true') &&
        isReady(state, "kept"),
    },
  ],
};

export const exceptionScenario: Scenario = {
  name: "exceptions come and expire",
  steps: () => [
    {
      act: (bed) =>
        bed.apply(
          celPolicy("kept", "false"),
          exception("lasting", "kept", 86_400_000),
          exception("short", "kept", 4_000),
        ),
      until: (state) => holds(state, '"active":2') || holds(state, '"expired":1'),
    },
    {
      act: async () => undefined,
      until: (state) =>
        holds(state, '"expired":1') && holds(state, "NotExpired") && holds(state, '"Expired"'),
    },
  ],
};

export const auditScenario: Scenario = {
  name: "existing Pods are audited and reported",
  steps: () => [
    {
      act: (bed) => bed.apply(pod("bad"), pod("gone"), podSecurityPolicy("kept", "baseline", audit)),
      until: (state) => state.reports?.length === 2,
    },
    {
      act: (bed) => bed.kubectl(["delete", "pod", "gone", "--force", "--grace-period=0"]),
      until: (state) =>
        state.reports?.length === 1 && entry(state.policies, "kept")?.status?.counts?.violating === 1,
    },
  ],
};
const audit = { actions: { admission: "off", background: "audit" } };

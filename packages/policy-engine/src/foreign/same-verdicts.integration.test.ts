import { globSync, readFileSync } from "node:fs";
import { parseManifests, parseShieldPolicy, type ShieldPolicy } from "@shieldx/crds";
import { startCluster } from "@shieldx/e2e/cluster";
import { describe, expect, it } from "vitest";
import { ApiClient } from "../../testing/cel-oracle/api-client.ts";
import { configMaps, deployments, pods } from "../../testing/cel-oracle/objects.ts";
import { oraclePolicy, paramObjects } from "../../testing/cel-oracle/policies.ts";
import { Random } from "../../testing/random.ts";
import { renderAdmissionPolicy } from "../native/render.ts";
import { replayRequests } from "../offline/replay.ts";
import { resourceOf } from "../offline/resource-of.ts";
import { importPolicies } from "./index.ts";

/** Replay a run with SHIELDX_SEED, ask more with SHIELDX_IMPORT_POLICIES. */
const firstSeed = Number(process.env.SHIELDX_SEED ?? 20_260_101);
const generatedCount = Number(process.env.SHIELDX_IMPORT_POLICIES ?? 30);
/** Of the library every so many. */
const everyOfLibrary = generatedCount > 50 ? 1 : 6;
const objectsPerPolicy = 3;
const group = "admissionregistration.k8s.io/v1";
const registration = "/apis/admissionregistration.k8s.io/v1";

type Fields = Record<string, unknown>;
interface Question {
  /** Policy and binding, as a person would have them in a cluster. */
  readonly native: readonly [Fields, Fields];
  readonly objects: readonly Fields[];
}

/** The policy alone is about objects with this label. */
function question(name: string, spec: Fields, objects: readonly Fields[], paramRef?: unknown): Question {
  const { matchConstraints, ...rest } = spec;
  return {
    native: [
      {
        apiVersion: group,
        kind: "ValidatingAdmissionPolicy",
        metadata: { name },
        spec: { matchConstraints, ...rest },
      },
      {
        apiVersion: group,
        kind: "ValidatingAdmissionPolicyBinding",
        metadata: { name: `${name}-binding` },
        spec: {
          policyName: name,
          validationActions: ["Deny"],
          ...(paramRef === undefined ? {} : { paramRef }),
          matchResources: { objectSelector: { matchLabels: { "import-test": name } } },
        },
      },
    ],
    objects: objects.map((object, at) => labelled(object, name, at)),
  };
}

function labelled(object: Fields, policy: string, at: number): Fields {
  const metadata = (object.metadata ?? {}) as Fields;
  const labels = { ...(metadata.labels as Fields | undefined), "import-test": policy };
  return { ...object, metadata: { ...metadata, name: metadata.name ?? `o${at}`, labels } };
}

/** What changes from one request to the next would make two answers differ that are the same. */
const changing = /creationTimestamp|uid|managedFields|resourceVersion|authorizer/;

function generated(): Question[] {
  const kinds = [pods, deployments, configMaps];
  const questions: Question[] = [];
  for (let seed = firstSeed; questions.length < generatedCount; seed++) {
    const { kind, spec, paramRef, isHeavy } = oraclePolicy(seed, seed);
    if (isHeavy || !kinds.includes(kind) || changing.test(JSON.stringify(spec))) continue;
    const random = new Random(seed);
    const objects = Array.from({ length: objectsPerPolicy }, () => ({
      apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
      kind: kind.kind,
      metadata: { labels: random.chance(0.5) ? { app: random.pick(["web", "db"]) } : {} },
      ...kind.make(random),
    }));
    const rule = {
      apiGroups: [kind.group],
      apiVersions: [kind.version],
      operations: ["CREATE"],
      resources: [kind.resource],
    };
    const matchConstraints = { resourceRules: [rule] };
    questions.push(question(`generated-${seed}`, { matchConstraints, ...spec }, objects, paramRef));
  }
  return questions;
}

/** Policies of the library as if they had been written for the API server. */
function ofLibrary(): Question[] {
  const folder = new URL("../../../../policies/", import.meta.url).pathname;
  const files = globSync(`${folder}*/*.yaml`).sort();
  return files.flatMap((file, index) => {
    if (index % everyOfLibrary !== 0) return [];
    const [document] = parseManifests(readFileSync(file, "utf8"), file);
    const { metadata, spec } = parseShieldPolicy(document);
    if (spec.engine !== "cel" || spec.mutations !== undefined || spec.paramKind !== undefined) return [];
    const { matchConstraints, matchConditions, variables, validations } = spec;
    const text = JSON.stringify({ matchConditions, variables, validations });
    if (changing.test(text)) return [];
    const objects = (spec.tests ?? []).flatMap(({ operation, object }) =>
      operation === "CREATE" && object !== undefined ? [object] : [],
    );
    const own = { matchConstraints, matchConditions, variables, validations };
    return [question(`library-${metadata.name}`, JSON.parse(JSON.stringify(own)) as Fields, objects)];
  });
}

function pathOf(object: Fields): string {
  const known = resourceOf(object, new Map());
  if (known === undefined) throw new Error("no object");
  const root = known.group === "" ? `/api/${known.version}` : `/apis/${known.group}/${known.version}`;
  const namespace = (object.metadata as Fields).namespace ?? "default";
  return known.isNamespaced
    ? `${root}/namespaces/${String(namespace)}/${known.resource}`
    : `${root}/${known.resource}`;
}

/** What the server says; undefined where it is let pass. */
async function answer(api: ApiClient, object: Fields): Promise<string | undefined> {
  const { status, body } = await api.send("POST", `${pathOf(object)}?dryRun=All`, object);
  if (status < 300) return undefined;
  const { message } = body as { message: string };
  const said = message.slice(message.indexOf("denied request: ") + "denied request: ".length);
  return message.includes("denied request: ") ? said : `not by a policy: ${message}`;
}

async function install(api: ApiClient, objects: readonly Fields[]): Promise<Set<string>> {
  const refused = new Set<string>();
  for (const object of objects) {
    const path =
      object.kind === "ValidatingAdmissionPolicy"
        ? "validatingadmissionpolicies"
        : "validatingadmissionpolicybindings";
    const { status } = await api.send("POST", `${registration}/${path}`, object);
    if (status >= 300) refused.add(String((object.metadata as Fields).name));
  }
  return refused;
}

const sentinelLabel = "sentinel";
const sentinel = (rule: string): Fields[] => [
  {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: `sentinel-${rule}` },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
        ],
        objectSelector: { matchLabels: { [sentinelLabel]: rule } },
      },
      validations: [{ expression: "false" }],
    },
  },
  {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: `sentinel-${rule}` },
    spec: { policyName: `sentinel-${rule}`, validationActions: ["Deny"] },
  },
];
const configMap = (rule: string): Fields => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "sentinel", labels: { [sentinelLabel]: rule } },
});

/** Installed last, so that it counts once all before it do. */
async function settled(api: ApiClient, rule: string): Promise<void> {
  await install(api, sentinel(rule));
  await expect.poll(() => answer(api, configMap(rule)), { timeout: 30_000, interval: 100 }).toBeDefined();
}

async function removeAll(api: ApiClient, rule: string): Promise<void> {
  for (const path of ["validatingadmissionpolicybindings", "validatingadmissionpolicies"])
    await api.send("DELETE", `${registration}/${path}`);
  await expect.poll(() => answer(api, configMap(rule)), { timeout: 30_000, interval: 100 }).toBeUndefined();
}

/** A rendered rule names its policy, and says in its own words that there is no message. */
function asNative(message: string | undefined): string | undefined {
  return message?.replace(/^ShieldPolicy "[^"]*": /, "").replace(/^this must hold: /, "failed expression: ");
}

function comparable(message: string | undefined): string | undefined {
  return message?.startsWith("failed expression: ") === true
    ? message.replace(/\s+/g, " ").slice(0, 200)
    : message;
}

interface Asked {
  readonly name: string;
  readonly object: Fields;
  /** As the server makes it, with its defaults. */
  readonly stored: unknown;
}

/** Questions with objects that the server takes for such of their kind; without policies. */
async function soundObjects(api: ApiClient, questions: readonly Question[]): Promise<Asked[]> {
  const sound: Asked[] = [];
  for (const { native, objects } of questions)
    for (const object of objects) {
      const { status, body } = await api.send("POST", `${pathOf(object)}?dryRun=All`, object);
      if (status < 300) sound.push({ name: nameOf(native[0]), object, stored: body });
    }
  return sound;
}

function nameOf(object: Fields): string {
  return String((object.metadata as Fields).name);
}

/** What our own evaluation says of the same request. */
function answerHere(policy: ShieldPolicy, { object, stored }: Asked) {
  const known = resourceOf(object, new Map());
  if (known === undefined) throw new Error("no object");
  const { group: ofGroup, version, kind, resource, isNamespaced } = known;
  const request = {
    uid: "",
    kind: { group: ofGroup, version, kind },
    resource: { group: ofGroup, version, resource },
    requestKind: { group: ofGroup, version, kind },
    requestResource: { group: ofGroup, version, resource },
    name: nameOf(object),
    ...(isNamespaced ? { namespace: String((object.metadata as Fields).namespace ?? "default") } : {}),
    operation: "CREATE",
    userInfo: { username: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] },
    dryRun: true,
    object: stored,
    oldObject: null,
  };
  const side = { policies: [policy], exceptions: [], known: paramObjects };
  const { requests } = replayRequests({
    requests: [request],
    old: side,
    new: side,
    serverMinor: 37,
    now: Date.now(),
  });
  return requests[0]?.new;
}

function* batchesOf<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

describe("imported ValidatingAdmissionPolicies on a real API server", () => {
  it("say what they said before, rendered and by our own evaluation", { timeout: 900_000 }, async () => {
    await using cluster = await startCluster({ name: "import" });
    const api = await ApiClient.fromKubeconfig(cluster.kubeconfig);
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    const counts = { policies: 0, refused: 0, requests: 0, denied: 0, errors: 0 };
    try {
      for (const object of paramObjects)
        await api.demand("POST", "/api/v1/namespaces/default/configmaps", object);
      await expect.poll(async () => (await api.send("GET", account)).status, { timeout: 30_000 }).toBe(200);
      // Each policy takes a millisecond of every request.
      for (const questions of batchesOf([...generated(), ...ofLibrary()], 30)) {
        const originals = questions.flatMap(({ native }) => native);
        const { policies: made, notes } = importPolicies({ objects: [...originals, ...paramObjects] });
        const policies = new Map(made.map(({ policy }) => [policy.metadata.name, policy]));
        const sound = await soundObjects(api, questions);

        const refused = await install(api, originals);
        await settled(api, "native");
        const before = new Map<Asked, string | undefined>();
        for (const asked of sound) before.set(asked, await answer(api, asked.object));
        await removeAll(api, "native");
        for (const { native } of questions) {
          const name = nameOf(native[0]);
          const why = notes.filter(({ source }) => source.name === name);
          // What the server refuses does not compile, so that nothing is made of it either.
          expect(policies.has(name), `${name}: ${JSON.stringify(why)}`).toBe(!refused.has(name));
        }
        counts.policies += policies.size;
        counts.refused += refused.size;

        const rendered = made.map(({ policy }) => renderAdmissionPolicy(policy, [], Date.now()));
        const objects = rendered.flatMap(({ policy, binding }) => [policy, binding]);
        expect(await install(api, objects as unknown as Fields[])).toEqual(new Set());
        await settled(api, "rendered");
        for (const asked of sound) {
          const policy = policies.get(asked.name);
          if (policy === undefined) continue;
          const said = before.get(asked);
          const where = `${asked.name}: ${JSON.stringify(asked.object)}`;
          counts.requests++;
          if (said !== undefined) counts.denied++;
          if (said?.includes("resulted in error") === true) counts.errors++;
          expect(comparable(asNative(await answer(api, asked.object))), where).toBe(comparable(said));
          const here = answerHere(policy, asked);
          expect(here?.isAllowed, `${where}: ${JSON.stringify(here)} but ${String(said)}`).toBe(
            said === undefined,
          );
        }
        await removeAll(api, "rendered");
      }
      console.info(JSON.stringify(counts));
      expect(counts.policies).toBeGreaterThan(45);
      expect(counts.denied / counts.requests).toBeGreaterThan(0.2);
      expect(counts.errors).toBeGreaterThan(0);
    } finally {
      api.close();
    }
  });
});

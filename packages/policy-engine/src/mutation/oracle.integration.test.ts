import type { ShieldPolicy } from "@shieldx/crds";
import { startCluster } from "@shieldx/e2e/cluster";
import { describe, expect, it } from "vitest";
import { ApiClient } from "../../testing/cel-oracle/api-client.ts";
import { RecordingWebhook } from "../../testing/cel-oracle/recording-webhook.ts";
import { type MutationCase, mutationCase } from "../../testing/mutation-oracle/generator.ts";
import { type Mutated, MutationServer, policyName } from "../../testing/mutation-oracle/mutation-server.ts";
import type { JsonRecord } from "../cel/kubernetes/json.ts";
import { buildPolicySet } from "../policy-set/build.ts";
import type { MutationVerdict } from "../policy-set/mutate.ts";
import type { PolicySet } from "../policy-set/policy-set.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import { jsonDiff } from "./json-diff.ts";
import { documentPath, type ObjectTypes, objectTypes } from "./object-types.ts";

/** Of the first pair; each has its own. Replay a run with SHIELDX_SEED. */
const firstSeed = Number(process.env.SHIELDX_SEED ?? 20_260_501);
const pairCount = Number(process.env.SHIELDX_ORACLE_PAIRS ?? 400);
const batchSize = 100;

type Order = readonly number[];

/** Our policies go by their names: these names make them go in this order. */
function policiesOf(number: number, { kind, policies }: MutationCase, order: Order): ShieldPolicy[] {
  return policies.map(
    (policy, at) =>
      ({
        apiVersion: "shieldx.io/v1alpha1",
        kind: "ShieldPolicy",
        metadata: { name: policyName(number, order.indexOf(at)), uid: `${number}/${at}`, generation: 1 },
        spec: {
          engine: "cel",
          evaluation: "Webhook",
          actions: { admission: "deny" },
          matchConstraints: {
            matchPolicy: "Equivalent",
            resourceRules: [
              {
                apiGroups: [kind.group],
                apiVersions: [kind.version],
                operations: ["CREATE", "UPDATE"],
                resources: [kind.resource],
              },
            ],
          },
          ...policy,
        },
      }) as unknown as ShieldPolicy,
  );
}

class Types {
  readonly #api: ApiClient;
  readonly #known = new Map<string, ObjectTypes>();

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async of({ kind }: MutationCase): Promise<ObjectTypes> {
    const path = documentPath(kind);
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const { body } = await this.#api.demand("GET", `/openapi/v3/${path}`);
    const types = objectTypes(body);
    if (types === undefined) throw new Error(`no schemas in ${path}`);
    this.#known.set(path, types);
    return types;
  }
}

describe("a real API server with MutatingAdmissionPolicies", () => {
  it(`makes of ${pairCount} objects what ours make of them, and refuses the same`, {
    timeout: 900_000,
  }, async () => {
    await using cluster = await startCluster({ name: "mutation-oracle" });
    const api = await ApiClient.fromKubeconfig(cluster.kubeconfig);
    const webhook = await RecordingWebhook.start(Date.now());
    const counts = {
      pairs: 0,
      changed: 0,
      unchanged: 0,
      refused: 0,
      restless: 0,
      otherOrder: 0,
      uncompiled: 0,
    };
    const differences: object[] = [];
    try {
      const server = new MutationServer(api, webhook);
      await server.prepare();
      const types = new Types(api);
      for (let first = 0; first < pairCount; first += batchSize) {
        const cases = Array.from({ length: batchSize }, (_, at) => mutationCase(firstSeed + first + at));
        const refused = await server.install(cases, first);
        for (const [at, each] of cases.entries()) {
          const number = first + at;
          const [set, ...others] = ordersOf(each.policies.length).map((order) =>
            buildPolicySet({ policies: policiesOf(number, each, order), exceptions: [], serverMinor: 37 }),
          );
          if (set === undefined) continue;
          expect(set.problems.length, `seed ${each.seed}: ${refused[at]}`).toBe(refused[at]?.length);
          if (set.problems.length > 0) {
            counts.uncompiled++;
            continue;
          }
          const theirs = await server.ask(number, each);
          if (theirs === undefined) continue;
          counts.pairs++;
          const context = {
            namespaceLabels: {},
            namespaceObject: {},
            now: Date.now(),
            types: await types.of(each),
          };
          const mutate = (one: PolicySet) =>
            one.mutate(theirs.request as unknown as AdmissionRequestLike, context);
          const verdict = mutate(set);
          if (isRestless(verdict)) {
            counts.restless++;
            continue;
          }
          const before = theirs.request.object as object;
          const difference = await compare(server, each, theirs.outcome, verdict, before);
          if (difference === undefined) {
            if (!verdict.allowed) counts.refused++;
            else counts[verdict.object === undefined ? "unchanged" : "changed"]++;
            continue;
          }
          // The server takes policies in the order of a map of Go's, which is another each time.
          const inOtherOrders = others.map(mutate).filter((other) => !isRestless(other));
          const isExplained = await some(
            inOtherOrders,
            async (other) => (await compare(server, each, theirs.outcome, other, before)) === undefined,
          );
          if (isExplained) counts.otherOrder++;
          else differences.push({ seed: each.seed, policies: each.policies, ...difference });
        }
        await server.remove();
        expect(differences.slice(0, 10), JSON.stringify(differences.slice(0, 10), undefined, 1)).toEqual([]);
      }
      console.info(counts);
      expect(counts.changed).toBeGreaterThan(counts.pairs / 4);
      expect(counts.refused).toBeGreaterThan(counts.pairs / 20);
    } finally {
      api.close();
      await webhook.stop();
    }
  });
});

/** All orders of so many policies (at most three), that of their names first. */
function ordersOf(count: number): Order[] {
  const all: Order[] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const orders = all.map((order) => order.filter((at) => at < count));
  return [...new Map(orders.map((order) => [order.join(), order])).values()];
}

function isRestless({ denials }: MutationVerdict): boolean {
  return denials.some(({ code }) => code === "NotIdempotent");
}

async function some<T>(items: readonly T[], isSo: (item: T) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (await isSo(item)) return true;
  return false;
}

/** undefined where both came to the same. Ours goes through the server once more, for the defaults it fills in. */
async function compare(
  server: MutationServer,
  { kind }: MutationCase,
  theirs: Mutated["outcome"],
  ours: MutationVerdict,
  before: object,
): Promise<object | undefined> {
  const refusal = ours.denials.map(({ message }) => message).join("; ");
  if ("refusal" in theirs) return ours.allowed ? { theirs: theirs.refusal, ours: "allowed" } : undefined;
  if (!ours.allowed) return { theirs: "allowed", ours: refusal };
  // What is sent again is read more strictly: null in a custom resource's labels, say.
  if (ours.object !== undefined && jsonDiff(theirs.object as JsonRecord, unmanaged(ours.object)).length === 0)
    return undefined;
  const made = await server.send(kind, (ours.object ?? before) as Record<string, unknown>, "nobody");
  if (!("request" in made)) return { theirs: "allowed", ours: made.refusal };
  const different = jsonDiff(theirs.object as JsonRecord, made.request.object as JsonRecord);
  return different.length === 0 ? undefined : { fromTheirsToOurs: different };
}

function unmanaged(object: JsonRecord): JsonRecord {
  const { managedFields: _, ...metadata } = object.metadata as JsonRecord;
  return { ...object, metadata };
}

// What ShieldGenerators and ShieldCleanups leave in two namespaces: how it is read, and taken away again.
import {
  type Client,
  type KubeObject,
  Namespace,
  type ResourceType,
  resourceType,
} from "@shieldx/controller-runtime";
import { GENERATED_KINDS, LABEL } from "@shieldx/crds";
import { ShieldCleanupType, ShieldGeneratorType } from "../kinds.ts";
import type { EndState, Entry } from "./scenarios.test-kit.ts";

/** Where objects are generated and cleaned up. */
export const STANDING_NAMESPACES = ["crash-a", "crash-b"] as const;

/** On what the scenarios make themselves. */
export const SCENARIO_LABEL = "crash";

const typeOf = (kind: string): ResourceType => {
  const found = GENERATED_KINDS.find((each) => each.kind === kind);
  if (found === undefined) throw new Error(`nothing generates ${kind}`);
  return resourceType({ ...found, namespaced: true });
};
const networkPolicies = typeOf("NetworkPolicy");
const limitRanges = typeOf("LimitRange");
const configMaps = typeOf("ConfigMap");

export async function readStanding(
  client: Client,
  normalized: (object: KubeObject) => Entry,
): Promise<EndState> {
  const generated = { labelSelector: LABEL.generator };
  const [generators, cleanups, ...made] = await Promise.all([
    client.list(ShieldGeneratorType as ResourceType),
    client.list(ShieldCleanupType as ResourceType),
    client.list(networkPolicies, generated),
    client.list(limitRanges, generated),
    client.list(configMaps, { labelSelector: SCENARIO_LABEL }),
  ]);
  return {
    generators: generators.items.map(normalized),
    cleanups: cleanups.items.map(cleanupEntry),
    standing: made.flatMap(({ items }) =>
      items.map((object) => ({ ...normalized(object), kind: object.kind, managers: managersOf(object) })),
    ),
  };
}

/** Who owns fields of an object, and how: what a create gave us and was not handed over shows here. */
function managersOf({ metadata: { managedFields = [] } }: KubeObject): string[] {
  return managedFields.map(({ manager, operation }) => `${manager} ${operation}`).sort();
}

/** How much a run deleted depends on where the one before it died. */
function cleanupEntry({ metadata: { name }, status }: KubeObject): Entry {
  const { conditions = [], lastRun } = (status ?? {}) as {
    readonly conditions?: readonly { readonly reason: string }[];
    readonly lastRun?: { readonly request?: string };
  };
  return { name, reason: conditions[0]?.reason, request: lastRun?.request };
}

export async function resetStanding(client: Client): Promise<void> {
  const of = (path: string, query: Readonly<Record<string, string>> = {}) =>
    client.request("DELETE", path, { query });
  await of("/apis/shieldx.io/v1alpha1/shieldgenerators");
  await of("/apis/shieldx.io/v1alpha1/shieldcleanups");
  for (const name of STANDING_NAMESPACES) {
    await client.patch(Namespace, { name }, { metadata: { labels: { tenant: null } } }, { type: "merge" });
    await of(`/apis/networking.k8s.io/v1/namespaces/${name}/networkpolicies`);
    await of(`/api/v1/namespaces/${name}/limitranges`);
    await of(`/api/v1/namespaces/${name}/configmaps`, { labelSelector: SCENARIO_LABEL });
  }
}

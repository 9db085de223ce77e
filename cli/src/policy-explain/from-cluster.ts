/** Policies, exceptions and what they look at, as a cluster has them now. Nothing is written. */
import {
  type Client,
  discoverKind,
  type KubeObject,
  Namespace,
  type ResourceType,
} from "@shieldx/controller-runtime";
import { parseShieldException, type ShieldPolicy } from "@shieldx/crds";
import type { DefinedResources } from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { NamespacedShieldPolicyType, ShieldExceptionType, ShieldPolicyType } from "../kinds.ts";
import type { Manifest } from "../manifests/read.ts";
import { type LoadedPolicies, parsedPolicy, parsedPolicyObject } from "../policy/load.ts";

export interface FromCluster extends LoadedPolicies {
  readonly resources: DefinedResources;
  readonly minor: number;
}

/**
 * @param only names of policies; all when empty
 * @throws UsageError when there is no such policy, ApiError when something may not be read
 */
export async function readFromCluster(client: Client, only: readonly string[]): Promise<FromCluster> {
  const { minor } = await client.serverVersion();
  const objects = [
    ...(await every(client, ShieldPolicyType)),
    ...(await every(client, NamespacedShieldPolicyType)),
  ];
  const all = objects.map((object) => parsedPolicy(manifestOf(object)));
  const policies = all.filter(({ metadata: { name } }) => only.length === 0 || only.includes(name));
  if (policies.length === 0) throw new UsageError("NoPolicies", "the cluster has no ShieldPolicy");
  const exceptions = (await every(client, ShieldExceptionType)).map((object) =>
    parsedPolicyObject(manifestOf(object), parseShieldException),
  );
  const known: KubeObject[] = [...(await every(client, Namespace))];
  const resources = new Map<string, { plural: string; isNamespaced: boolean }>();
  for (const { apiVersion, kind } of kindsLookedAt(policies)) {
    const type = await discoverKind(client, { apiVersion, kind });
    if (type === undefined) continue;
    resources.set(`${type.group}/${kind}`, { plural: type.plural, isNamespaced: type.namespaced });
    // Items of a list do not say what they are.
    for (const object of await every(client, type)) known.push({ ...object, apiVersion, kind });
  }
  return { policies, exceptions, parameters: known, resources, minor };
}

/** Parameters, and what policies in Rego list. */
function kindsLookedAt(policies: readonly ShieldPolicy[]): { apiVersion: string; kind: string }[] {
  const kinds = policies.flatMap(({ spec: { paramKind, rego } }) => [
    ...(paramKind === undefined ? [] : [paramKind]),
    ...(rego?.inventory ?? []),
  ]);
  return [
    ...new Map(kinds.map(({ apiVersion, kind }) => [`${apiVersion} ${kind}`, { apiVersion, kind }])).values(),
  ];
}

async function every(client: Client, type: ResourceType): Promise<KubeObject[]> {
  const found: KubeObject[] = [];
  for await (const page of client.pages(type)) found.push(...page);
  const apiVersion = type.group === "" ? type.version : `${type.group}/${type.version}`;
  return found.map((object) => ({ ...object, apiVersion, kind: type.kind }));
}

function manifestOf(object: KubeObject): Manifest {
  return {
    file: `cluster: ${object.metadata.name ?? ""}`,
    line: 1,
    object: object as unknown as Manifest["object"],
  };
}

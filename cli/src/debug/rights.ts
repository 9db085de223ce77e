import type { Client } from "@shieldx/controller-runtime";
import type { Collection } from "./collection.ts";

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * Asks the API server whether our ServiceAccounts really have what their roles say: a role without its binding, or one
 * that somebody cut down, is the commonest reason for a ShieldX that does not work.
 */
export async function checkRights(
  client: Client,
  collection: Collection,
  namespaces: readonly string[],
): Promise<void> {
  const [namespace] = namespaces;
  if (namespace === undefined) return;
  const results: { account: string; right: string; allowed: boolean }[] = [];
  for (const name of ["shieldx-operator", "shieldx-webhooks"]) {
    const account = `system:serviceaccount:${namespace}:${name}`;
    const scopes = [
      [`ClusterRole ${name}`, `clusterroles/${name}`, undefined],
      [`Role ${namespace}/${name}`, `namespaces/${namespace}/roles/${name}`, namespace],
    ] as const;
    for (const [about, path, scope] of scopes) {
      const checked = await collection.gather(`rights of ${about}`, async () => {
        const { body } = await client.request("GET", `/apis/rbac.authorization.k8s.io/v1/${path}`);
        const { rules } = JSON.parse(body) as { rules: readonly Rule[] | null };
        return await Promise.all(
          (rules ?? []).flatMap(attributesOf).map(async (attributes) => ({
            account,
            right: describe(attributes, scope),
            allowed: await isAllowed(client, account, {
              ...attributes,
              ...(scope === undefined ? {} : { namespace: scope }),
            }),
          })),
        );
      });
      results.push(...(checked ?? []));
    }
  }
  const lacking = results.filter(({ allowed }) => !allowed);
  if (results.length > 0)
    collection.json("rbac/self-check.json", `${results.length} rights asked for, ${lacking.length} lacking`, {
      lacking,
      granted: results.filter(({ allowed }) => allowed),
    });
}

interface Attributes {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly verb: string;
}

function attributesOf({ apiGroups = [], resources = [], resourceNames = [], verbs }: Rule): Attributes[] {
  return apiGroups.flatMap((group) =>
    resources.flatMap((full) => {
      const [resource = full, subresource] = full.split("/");
      return verbs.map((verb) => ({
        group,
        resource,
        verb,
        ...(subresource === undefined ? {} : { subresource }),
        ...(resourceNames[0] === undefined ? {} : { name: resourceNames[0] }),
      }));
    }),
  );
}

function describe(
  { group, resource, subresource, name, verb }: Attributes,
  scope: string | undefined,
): string {
  const kind = `${resource}${group === "" ? "" : `.${group}`}${subresource === undefined ? "" : `/${subresource}`}`;
  return `${verb} ${kind}${name === undefined ? "" : ` ${name}`}${scope === undefined ? "" : ` in ${scope}`}`;
}

async function isAllowed(client: Client, user: string, resourceAttributes: object): Promise<boolean> {
  const { body } = await client.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: { user, groups: groupsOf(user), resourceAttributes },
    },
  });
  return (JSON.parse(body) as { status?: { allowed?: boolean } }).status?.allowed === true;
}

function groupsOf(user: string): string[] {
  const namespace = user.split(":")[2] ?? "";
  return ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
}

// Which of its rights an identity used: the API server's audit log held against the rules its roles grant.
import { readFile } from "node:fs/promises";
import type { Cluster } from "../cluster/index.ts";
import { read } from "./objects.ts";

export interface RoleRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** One right a role grants, taken apart to the last verb and name. */
export interface DeclaredRight {
  readonly scope: "cluster" | "namespace";
  readonly group: string;
  /** With its subresource: `shieldpolicies/status`. */
  readonly resource: string;
  readonly verb: string;
  readonly name: string | undefined;
}

/** One request, as far as authorization looks at it. */
export interface UsedRight {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  readonly isForbidden: boolean;
}

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly requestURI: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Whether want of a right refused it. Admission answers 403 as well; the handshake probe even lives of such answers. */
function isForbidden({ responseStatus, annotations }: AuditEvent): boolean {
  if (annotations?.["authorization.k8s.io/decision"] === "forbid") return true;
  return responseStatus?.code === 403 && !/^admission webhook ".*" denied/.test(responseStatus.message ?? "");
}

/** What the identity asked the API server for, each distinct request once. */
export async function usedRights(auditLog: string, username: string): Promise<UsedRight[]> {
  const used = new Map<string, UsedRight>();
  for (const line of (await readFile(auditLog, "utf8")).split("\n")) {
    // Before parsing: most lines are somebody else's. The last one may be half written.
    if (!line.includes(`"${username}"`) || !line.endsWith("}")) continue;
    const event = JSON.parse(line) as AuditEvent;
    const { user, verb, objectRef, responseStatus } = event;
    if (user.username !== username || objectRef?.resource === undefined) continue;
    const right: UsedRight = {
      group: objectRef.apiGroup ?? "",
      resource: [objectRef.resource, objectRef.subresource].filter(Boolean).join("/"),
      verb,
      name: objectRef.name,
      namespace: objectRef.namespace,
      isForbidden: isForbidden(event),
    };
    // A server-side apply that makes the object is a patch that had to pass as a create, too.
    const all =
      verb === "patch" && responseStatus?.code === 201 ? [right, { ...right, verb: "create" }] : [right];
    for (const item of all) used.set(JSON.stringify(item), item);
  }
  return [...used.values()];
}

/** The rights of a ServiceAccount's own ClusterRole and Role, which have its name. */
export async function declaredRights(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<DeclaredRight[]> {
  const declared: DeclaredRight[] = [];
  for (const [scope, ...what] of [
    ["cluster", "clusterrole", name],
    ["namespace", "role", name, "-n", namespace],
  ] as const) {
    const role = await read<{ rules: RoleRule[] }>(cluster, ...what);
    if (role === undefined) throw new Error(`there is no ${what.join(" ")}`);
    declared.push(...role.rules.flatMap((rule) => rightsOf(rule).map((right) => ({ scope, ...right }))));
  }
  return declared;
}

function rightsOf({ apiGroups = [], resources = [], verbs, resourceNames = [] }: RoleRule) {
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) => names.map((name) => ({ group, resource, verb, name }))),
    ),
  );
}

export function describeRight(right: DeclaredRight | UsedRight): string {
  const { verb, group, resource, name } = right;
  const where = "scope" in right ? ` (${right.scope})` : ` in ${right.namespace ?? "the cluster"}`;
  return `${verb} ${resource}${group === "" ? "" : `.${group}`}${name === undefined ? "" : ` ${name}`}${where}`;
}

function allows(right: DeclaredRight, used: UsedRight, ownNamespace: string): boolean {
  return (
    right.group === used.group &&
    right.resource === used.resource &&
    right.verb === used.verb &&
    (right.name === undefined || right.name === used.name) &&
    (right.scope === "cluster" || used.namespace === ownNamespace)
  );
}

export interface RightsAccount {
  /** Requests that were refused, or that only other roles than its own allowed. */
  readonly undeclared: string[];
  /** Rights that no request needed. */
  readonly unused: string[];
  /** How many distinct requests there were. */
  readonly requests: number;
}

/**
 * Holds what an identity did against what its roles grant. A right counts as used only where no narrower one would have
 * done: what a Role grants in ShieldX's own namespace need not be granted in the whole cluster.
 * @param everybodys rules that every authenticated identity has anyway
 */
export function account(
  declared: readonly DeclaredRight[],
  used: readonly UsedRight[],
  everybodys: readonly RoleRule[],
  ownNamespace: string,
): RightsAccount {
  const anybody = everybodys.flatMap(rightsOf).map((right) => ({ scope: "cluster" as const, ...right }));
  const needed = new Set<DeclaredRight>();
  const undeclared = new Set<string>();
  for (const request of used) {
    const allowing = declared.filter((right) => allows(right, request, ownNamespace));
    const narrow = allowing.filter(({ scope }) => scope === "namespace");
    for (const right of narrow.length > 0 ? narrow : allowing) needed.add(right);
    const isAnybodys = anybody.some((right) => allows(right, request, ownNamespace));
    if (request.isForbidden || (allowing.length === 0 && !isAnybodys)) undeclared.add(describeRight(request));
  }
  return {
    undeclared: [...undeclared].sort(),
    unused: declared.filter((right) => !needed.has(right)).map(describeRight),
    requests: used.length,
  };
}

import { X509Certificate } from "node:crypto";
import {
  ANNOTATION,
  isBreakGlassOpen,
  kinds,
  LEADER_LEASE,
  type StoredBreakGlass,
  WEBHOOKS_COMPONENT,
} from "@shieldx/crds";

/** What the cluster was seen to hold; everything optional may be absent or forbidden to the caller. */
export interface Observed {
  readonly kubernetes: string;
  readonly namespace: string;
  readonly crds: readonly { name: string; versions: readonly string[] }[];
  readonly deployments: readonly { name: string; ready: number; wanted: number; image: string }[];
  readonly leases: readonly LeaseSeen[];
  readonly caBundles: readonly { configuration: string; caBundle: string | undefined }[];
  readonly policies: readonly PolicySeen[];
  /** Objects of every kind of ours but ShieldPolicy and ShieldBreakGlass. */
  readonly others: readonly ObjectSeen[];
  readonly breakGlasses: readonly StoredBreakGlass[];
  /** What could not be read, in words. */
  readonly unreadable: readonly string[];
  readonly now: number;
}

export interface LeaseSeen {
  readonly name: string;
  readonly holder: string;
  readonly renewedAt: number;
  readonly durationSeconds: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly component: string | undefined;
}

export interface ObjectSeen {
  readonly kind: string;
  /** `namespace/name` where the kind has namespaces. */
  readonly name: string;
  /** Status, reason and message of the condition Ready. */
  readonly ready: string;
  readonly reason: string;
  readonly message: string;
}

export interface PolicySeen extends Omit<ObjectSeen, "kind"> {
  readonly engine: string;
  readonly admission: string;
  readonly enforcedBy: string;
  readonly loadedBy: string;
  /** Existing objects that break it. */
  readonly violating: number | undefined;
}

export interface StatusReport {
  readonly healthy: boolean;
  readonly problems: readonly string[];
  readonly kubernetes: string;
  readonly namespace: string;
  readonly installed: boolean;
  readonly crds: Observed["crds"];
  readonly operator: { readonly leader: string | undefined; readonly renewedSecondsAgo: number | undefined };
  readonly deployments: Observed["deployments"];
  readonly webhookReplicas: readonly { name: string; policySet: string; leafDaysLeft: number | undefined }[];
  readonly caDaysLeft: number | undefined;
  readonly policies: readonly PolicySeen[];
  /** How many there are of every other kind that has any. */
  readonly objects: readonly { readonly kind: string; readonly total: number; readonly notReady: number }[];
}

const day = 86_400_000;
/** Lines for the objects of one kind: who runs a namespace must not fill the screen of who runs the cluster. */
const TOLD_OF_A_KIND = 10;
/** Not ready, and as it should be: what is on its way, and exceptions that have come to their end. */
const PASSING: ReadonlySet<string> = new Set(["RollingOut", "Working", "Expired"]);

/** Days until the last certificate of a base64 PEM bundle ends; the newest counts while two CAs overlap. */
export function daysLeft(caBundle: string | undefined, now: number): number | undefined {
  if (caBundle === undefined || caBundle === "") return undefined;
  const pems = Buffer.from(caBundle, "base64")
    .toString("utf8")
    .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  const ends = (pems ?? []).map((pem) => Date.parse(new X509Certificate(pem).validTo));
  return ends.length === 0 ? undefined : Math.floor((Math.max(...ends) - now) / day);
}

function leafDays(lease: LeaseSeen, now: number): number | undefined {
  const end = Date.parse(lease.annotations[ANNOTATION.servingLeafNotAfter] ?? "");
  return Number.isNaN(end) ? undefined : Math.floor((end - now) / day);
}

function isAlive(lease: LeaseSeen, now: number): boolean {
  return lease.holder !== "" && now - lease.renewedAt < lease.durationSeconds * 1000 * 2;
}

function certificateProblems(
  caDays: number | undefined,
  replicas: StatusReport["webhookReplicas"],
): string[] {
  const problems: string[] = [];
  if (caDays !== undefined && caDays < 7) {
    problems.push(
      `the webhook CA has ${caDays} days left: see the operator's log for what its rotation waits for`,
    );
  }
  for (const replica of replicas) {
    if (replica.leafDaysLeft !== undefined && replica.leafDaysLeft < 2) {
      problems.push(`${replica.name} serves a certificate with ${replica.leafDaysLeft} days left`);
    }
  }
  return problems;
}

const isUnwell = ({ ready, reason }: Omit<ObjectSeen, "kind">): boolean =>
  ready !== "True" && !PASSING.has(reason);

const unready = (kind: string, { name, reason, message }: Omit<ObjectSeen, "kind">): string =>
  `${kind} ${name} is not ready: ${reason}${message === "" ? "" : `: ${message}`}`;

function otherProblems(others: readonly ObjectSeen[]): string[] {
  return kinds.flatMap(({ kind, plural, scope }) => {
    const unwell = others.filter((each) => each.kind === kind && isUnwell(each));
    const told = unwell.slice(0, TOLD_OF_A_KIND).map((each) => unready(kind, each));
    const left = unwell.length - told.length;
    const all = scope === "Namespaced" ? " --all-namespaces" : "";
    return left === 0
      ? told
      : [...told, `${left} more ${kind} objects are not ready: list them with: kubectl get ${plural}${all}`];
  });
}

function countObjects(others: readonly ObjectSeen[]): StatusReport["objects"] {
  return kinds.flatMap(({ kind }) => {
    const of = others.filter((each) => each.kind === kind);
    return of.length === 0 ? [] : [{ kind, total: of.length, notReady: of.filter(isUnwell).length }];
  });
}

/** Judges what was seen: pure, so that every answer of `shieldctl status` can be tested without a cluster. */
export function judge(seen: Observed): StatusReport {
  const problems: string[] = [...seen.unreadable];
  const wanted = kinds.map(({ plural, group }) => `${plural}.${group}`);
  const missing = wanted.filter((name) => !seen.crds.some((crd) => crd.name === name));
  const installed = missing.length === 0;
  if (!installed)
    problems.push(
      `not installed: ${missing.join(", ")} missing. Install with: helm install shieldx charts/shieldx -n ${seen.namespace} --create-namespace`,
    );

  for (const d of seen.deployments.filter((x) => x.ready < x.wanted)) {
    problems.push(
      `deployment ${d.name}: ${d.ready} of ${d.wanted} ready. Look with: kubectl -n ${seen.namespace} describe deployment ${d.name}`,
    );
  }
  const leaderLease = seen.leases.find((lease) => lease.name === LEADER_LEASE);
  const leader = leaderLease !== undefined && isAlive(leaderLease, seen.now) ? leaderLease.holder : undefined;
  if (installed && leader === undefined) {
    problems.push(
      "no operator leads: policies are enforced as they last stood, but changes and certificates wait",
    );
  }
  const webhookLeases = seen.leases.filter(
    (lease) => lease.component === WEBHOOKS_COMPONENT && isAlive(lease, seen.now),
  );
  const webhookReplicas = webhookLeases.map((lease) => ({
    name: lease.holder,
    policySet: lease.annotations[ANNOTATION.policySetDigest] ?? "",
    leafDaysLeft: leafDays(lease, seen.now),
  }));
  if (installed && webhookReplicas.length === 0)
    problems.push("no webhook replica reports: policies evaluated in the webhook do not act");
  const days = seen.caBundles.map((c) => daysLeft(c.caBundle, seen.now)).filter((d) => d !== undefined);
  const caDaysLeft = days.length === 0 ? undefined : Math.min(...days);
  problems.push(...certificateProblems(caDaysLeft, webhookReplicas));
  for (const { metadata, spec } of seen.breakGlasses.filter((glass) => isBreakGlassOpen(glass, seen.now))) {
    const which = spec.allPolicies === true ? "any policy" : (spec.policies ?? []).join(", ");
    problems.push(
      `ShieldBreakGlass ${metadata.name} is open until ${spec.expiresAt}: nothing is refused by ${which} (${spec.reason}). End it with: kubectl delete shieldbreakglass ${metadata.name}`,
    );
  }
  problems.push(...seen.policies.filter(isUnwell).map((policy) => unready("ShieldPolicy", policy)));
  problems.push(...otherProblems(seen.others));
  return {
    healthy: problems.length === 0,
    problems,
    kubernetes: seen.kubernetes,
    namespace: seen.namespace,
    installed,
    crds: seen.crds,
    operator: {
      leader,
      renewedSecondsAgo:
        leader === undefined || leaderLease === undefined
          ? undefined
          : Math.max(0, Math.round((seen.now - leaderLease.renewedAt) / 1000)),
    },
    deployments: seen.deployments,
    webhookReplicas,
    caDaysLeft,
    policies: seen.policies,
    objects: countObjects(seen.others),
  };
}

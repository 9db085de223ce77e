import { startCluster } from "@shieldx/e2e/cluster";
import { describe, expect, it } from "vitest";
import { ApiClient } from "../../testing/cel-oracle/api-client.ts";
import {
  type Comparison,
  type Failure,
  MergedServer,
  type Pair,
  pairOf,
} from "../../testing/cel-oracle/merged.ts";
import { configMaps, deployments, pods } from "../../testing/cel-oracle/objects.ts";
import { type OraclePolicy, oraclePolicy } from "../../testing/cel-oracle/policies.ts";

/** Replay a run with SHIELDX_SEED, ask more with SHIELDX_ORACLE_PAIRS. */
const firstSeed = Number(process.env.SHIELDX_SEED ?? 20_260_101);
const requestCount = Number(process.env.SHIELDX_ORACLE_PAIRS ?? 60);
/** Fifty failures are all that an audit annotation carries, and each policy has up to three, twice. */
const policiesPerPair = [3, 8, 8, 8, 3, 8];
const requestsPerPair = 10;
const kinds = [pods, deployments, configMaps];

describe("merged policies on a real API server", () => {
  it(`say of ${requestCount} requests what each of their members says alone`, {
    timeout: 1_200_000,
  }, async () => {
    await using cluster = await startCluster({ name: "policy-merged", audit: true });
    const api = await ApiClient.fromKubeconfig(cluster.kubeconfig);
    const server = new MergedServer(api, cluster.auditLog ?? "");
    for (const kind of kinds) await server.store(kind);
    const seen = { requests: 0, failures: 0, errors: 0, guardErrors: 0, denied: 0, members: 0 };
    try {
      for (let first = 0; seen.requests < requestCount; first += 4 * 80) {
        const pairs: Pair[] = [];
        for (const pair of pairsFrom(first)) {
          if (await server.install(pair)) pairs.push(pair);
          else await server.remove(pair);
        }
        await server.settle();
        for (const pair of pairs) {
          seen.members += pair.lone.length;
          for (let at = 0; at < requestsPerPair && seen.requests < requestCount; at++) {
            const comparison = await server.ask(pair, firstSeed + seen.requests++);
            expect(outcomes(comparison.merged), `seeds ${comparison.seeds}`).toEqual(
              outcomes(comparison.lone),
            );
            expectSameRefusal(comparison);
            count(comparison, seen);
          }
        }
        for (const pair of pairs) await server.remove(pair);
      }
      console.info(JSON.stringify(seen));
      expect(seen.failures / seen.requests).toBeGreaterThan(1);
      expect(seen.denied / seen.requests).toBeGreaterThan(0.3);
      expect(seen.errors).toBeGreaterThan(0);
    } finally {
      api.close();
    }
  });
});

function pairsFrom(first: number): Pair[] {
  const policies = Array.from({ length: 4 * 80 }, (_, at) =>
    oraclePolicy(firstSeed + first + at, first + at),
  );
  const pairs: Pair[] = [];
  for (const kind of kinds) {
    for (const failurePolicy of ["Fail", "Ignore"]) {
      const fitting = policies.filter(
        (policy) => isLight(policy) && policy.kind === kind && policy.spec.failurePolicy === failurePolicy,
      );
      const pair = pairOf(
        `b${first}-${kind.resource}-${failurePolicy.toLowerCase()}`,
        fitting.slice(0, policiesPerPair[pairs.length]),
      );
      if (pair !== undefined && pair.lone.length > 1) pairs.push(pair);
    }
  }
  return pairs;
}

/** Parameters and loops that spend a budget on purpose keep a policy alone. */
function isLight({ isHeavy, spec }: OraclePolicy): boolean {
  return !isHeavy && spec.paramKind === undefined && (spec.auditAnnotations ?? []).length === 0;
}

/**
 * By policy: what fails and why. A condition that cannot be evaluated is told once alone, and of each validation merged.
 */
function outcomes(failures: readonly Failure[]): Record<string, string[]> {
  const found: Record<string, Set<string>> = {};
  for (const { policy, index, message } of failures) {
    const error = causeOf(message);
    const own = found[policy] ?? new Set();
    found[policy] = own;
    if (error === undefined) own.add(`${index}: ${message}`);
    else own.add(`error: ${error}`);
  }
  return Object.fromEntries(
    Object.entries(found)
      .map(([policy, said]) => [policy, [...said].sort()] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const resulted = "' resulted in error: ";

/** What went wrong, without the expression it is about and the names that variables have. */
function causeOf(message: string): string | undefined {
  const at = message.lastIndexOf(resulted);
  if (at < 0) return undefined;
  return message
    .slice(at + resulted.length)
    .replaceAll(/composited variable "applies_[0-9a-f]{16}" fails to evaluate: /g, "")
    .replaceAll(/(composited variable "\w+)_[0-9a-f]{16}"/g, '$1"')
    .replace(/\]$/, "");
}

/** Alone, any policy that refuses may come first; merged, it is the first that fails. */
function expectSameRefusal({ lone, merged, loneDenied, mergedDenied, seeds }: Comparison): void {
  expect(mergedDenied.status >= 400, `seeds ${seeds}`).toBe(loneDenied.status >= 400);
  expect(mergedDenied.status >= 400).toBe(merged.length > 0);
  if (mergedDenied.status < 400) return;
  const { message } = mergedDenied.body as { message: string };
  expect(message.endsWith(`denied request: ${merged[0]?.message}`), message).toBe(true);
  const { message: alone } = loneDenied.body as { message: string };
  expect(
    lone.some((failure) => alone.endsWith(`denied request: ${failure.message}`)),
    alone,
  ).toBe(true);
  // Whoever is refused learns by which ShieldPolicy.
  expect(message).toContain(merged[0]?.policy);
}

function count({ lone, merged, mergedDenied }: Comparison, seen: Record<string, number>): void {
  const add = (key: string, more: number) => {
    seen[key] = (seen[key] ?? 0) + more;
  };
  add("failures", merged.length);
  add("errors", lone.filter(({ message }) => causeOf(message) !== undefined).length);
  add("guardErrors", merged.filter(({ message }) => message.includes('variable "applies_')).length);
  if (mergedDenied.status >= 400) add("denied", 1);
}

/** Who is measured: each for a namespace of its own on the same API server, with its rules in force for its turn. */
import type { Cluster } from "../../e2e/cluster/index.ts";
import { waitFor } from "../../e2e/shieldx/wait.ts";
import type { Lanes } from "../lib/load.ts";
import type { AdmissionPolicies } from "./render/admission-policies.ts";
import { ownerLabel } from "./render/admission-policies.ts";
import { changedPod } from "./rules/pod-change.ts";
import type { PolicyRule } from "./rules/rules.ts";

/** In the order in which they are set up and reported. */
export const contestantNames = [
  "none",
  "floor",
  "vap-one",
  "vap",
  "gatekeeper",
  "shieldx-cel",
  "shieldx-rego",
  "shieldx-native",
] as const;
export type ContestantName = (typeof contestantNames)[number];

export interface Contestant {
  readonly name: ContestantName;
  /** Gives verdicts; nobody and the floor let everything in. */
  readonly isJudge: boolean;
  /**
   * Its rules are in force when this resolves, all of them, and whoever had to take them in has calmed down. Rules that
   * would cost the others something are there for this turn only.
   */
  enter(): Promise<void>;
  leave(): Promise<void>;
  /** The process that judges beside the API server. */
  webhookPid(): number | undefined;
}

export const namespaceOf = (name: ContestantName): string => `bench-${name}`;

const settleMs = 600_000;

/** Waits until a Pod that breaks the last of the rules is refused, or let in again. */
export async function untilEnforced(
  lanes: Lanes,
  name: ContestantName,
  rules: readonly PolicyRule[],
  isEnforced: boolean,
): Promise<void> {
  const last = rules.at(-1);
  if (last === undefined) throw new RangeError("there are no rules to enforce");
  const pod = JSON.stringify(changedPod("probe", last.breaking));
  await waitFor(
    `${name}: ${last.name} is ${isEnforced ? "enforced" : "gone"}`,
    async () => (await lanes.create(0, namespaceOf(name), pod)).status === (isEnforced ? 403 : 201),
    { timeoutMs: settleMs },
  );
}

/** Nobody, or whoever needs no rules. */
export function withoutRules(name: ContestantName, webhookPid?: number): Contestant {
  return {
    name,
    isJudge: false,
    enter: () => Promise.resolve(),
    leave: () => Promise.resolve(),
    webhookPid: () => webhookPid,
  };
}

/**
 * ValidatingAdmissionPolicies. An API server looks at each of them in every request, if only to see that it is not
 * meant, so they are removed after the turn. Policies are written before bindings and a server takes each kind in as
 * written: when the last one refuses, all do.
 */
export function admissionPolicyContestant(parts: {
  readonly cluster: Cluster;
  readonly lanes: Lanes;
  readonly name: ContestantName;
  readonly rules: readonly PolicyRule[];
  readonly rendered: AdmissionPolicies;
}): Contestant {
  const { cluster, lanes, name, rules, rendered } = parts;
  return {
    name,
    isJudge: true,
    async enter() {
      await applyList(cluster, rendered.policies);
      await untilTypesAreChecked(cluster, name, rendered.policies.length);
      await applyList(cluster, rendered.bindings);
      await untilEnforced(lanes, name, rules, true);
    },
    async leave() {
      for (const kind of ["validatingadmissionpolicybindings", "validatingadmissionpolicies"]) {
        await removeOwned(cluster, kind, name);
      }
      await untilEnforced(lanes, name, rules, false);
    },
    webhookPid: () => undefined,
  };
}

/** The controller manager checks the types of each new policy, on the processors that are measured. */
async function untilTypesAreChecked(cluster: Cluster, of: string, count: number): Promise<void> {
  await waitFor(
    `the types of ${count} policies are checked`,
    async () => {
      const { stdout } = await cluster.kubectl([
        ...["get", "validatingadmissionpolicies", "-l", `${ownerLabel}=${of}`],
        ...["-o", "jsonpath={.items[*].status.observedGeneration}"],
      ]);
      return stdout.split(" ").filter((generation) => generation !== "").length === count;
    },
    { timeoutMs: settleMs, everyMs: 200 },
  );
}

/** @throws Error with what kubectl said */
export async function applyList(cluster: Cluster, items: readonly object[]): Promise<void> {
  const input = items.map((item) => JSON.stringify(item)).join("\n---\n");
  const applied = await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input });
  if (applied.code !== 0) throw new Error(`refused: ${applied.stderr.slice(0, 2_000)}`);
}

/** Removes everything of a kind that belongs to one contestant, and waits until it is gone. */
export async function removeOwned(cluster: Cluster, kind: string, of: string): Promise<void> {
  const removed = await cluster.kubectl(["delete", kind, "-l", `${ownerLabel}=${of}`]);
  if (removed.code !== 0) throw new Error(`${kind} of ${of} cannot be deleted: ${removed.stderr}`);
}

import {
  type ControllerDefinition,
  defineController,
  generationChanged,
  labelsChanged,
  Namespace,
  type ObjectChange,
  type ReconcileContext,
  Secret,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  watch,
} from "@shieldx/controller-runtime";
import { stagingKey } from "@shieldx/crds";
import { lookAgain, type OperatorContext, sooner, untilMoment } from "../../context.ts";
import {
  asPolicy,
  ShieldBreakGlassType,
  ShieldExceptionType,
  type ShieldPolicyObject,
  ShieldPolicyType,
} from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { OwnedObjects } from "../../owned-object.ts";
import { caSecret, OURS } from "../../watched.ts";
import type { NativeState } from "../shieldpolicy/decide.ts";
import { HandOvers } from "../shieldpolicy/hand-over.ts";
import { type Applied, cachedNative, isThere, NativeObjects, warningsOf } from "./apply.ts";
import { type Home, type Plan, planObjects, type Stored } from "./plan.ts";
import type { Standing } from "./standings.ts";
import { StoredObjects } from "./stored.ts";
import { type ObservedWant, Wants } from "./wants.ts";

/** All objects are brought in line under one key: where a policy goes depends on which others there are. */
const ALL = [{ name: "all" }] as const;
/** Objects written at once. */
const WRITERS = 4;

/** Keeps the admission policies and bindings that the API server evaluates. */
export function nativeController(operator: OperatorContext): ControllerDefinition<ValidatingAdmissionPolicy> {
  const wants = new Wants(operator);
  const objects = new NativeObjects(operator, new OwnedObjects(FIELD_MANAGER.policy));
  const stored = new StoredObjects();
  /** How long each policy that moved has been in its new place. */
  const moves = new HandOvers();
  /** Versions of policies that the API server does not take together with others. */
  const loners = new Map<string, string>();
  /** Where policies were found in place last. */
  let inPlace: ReadonlyMap<string, Home> = new Map();

  const remainingMs = (policy: string, home: Home): number | undefined => {
    const found = inPlace.get(policy);
    const isThere = found?.object === home.object && found.version === home.version;
    return moves.remainingMs(
      policy,
      `${home.object} ${home.version}`,
      isThere,
      operator.clock.monotonicNow(),
    );
  };

  function observe(context: ReconcileContext, now: number): { wanted: ObservedWant[]; found: Stored[] } {
    const policies = context.list(ShieldPolicyType);
    const uids = new Map(policies.map(({ metadata }) => [metadata.name, metadata.uid]));
    const found = stored.list(context, (policy) => uids.get(policy));
    const installed = new Set(found.flatMap(({ members }) => members.map(({ policy }) => policy)));
    const wanted = wants.observe(
      context,
      policies,
      (policy) => installed.has(policy),
      (policy, version) => loners.get(policy) !== version,
      now,
    );
    for (const name of loners.keys()) if (!uids.has(name)) loners.delete(name);
    return { wanted, found };
  }

  async function apply(
    context: ReconcileContext,
    plan: Plan,
    found: readonly Stored[],
  ): Promise<{ applied: Map<string, Applied>; waitMs: number | undefined; problems: unknown[] }> {
    const applied = new Map<string, Applied>();
    const problems: unknown[] = [];
    const elsewhere = placesOf(found);
    await inParallel(plan.objects, async (planned) => {
      const isElsewhere = (policy: string) =>
        [...(elsewhere.get(policy) ?? [])].some((name) => name !== planned.name);
      try {
        const result = await objects.apply(context, planned, isElsewhere);
        applied.set(planned.name, result);
        if (result.isInPlace) stored.noteWritten(planned);
      } catch (error) {
        problems.push(error);
      }
    });
    let waitMs: number | undefined;
    await inParallel(plan.remove, async (name) => {
      try {
        const retryMs = await objects.remove(context, name);
        waitMs = sooner(waitMs, retryMs);
        if (retryMs === undefined) stored.noteRemoved(name);
      } catch (error) {
        problems.push(error);
      }
    });
    return { applied, waitMs, problems };
  }

  function noteLoners(context: ReconcileContext, plan: Plan, applied: ReadonlyMap<string, Applied>): void {
    for (const { name, wants: members } of plan.objects) {
      const blamed = new Set(applied.get(name)?.blamed);
      for (const { policy, version } of members) if (blamed.has(policy)) loners.set(policy, version);
      if (blamed.size > 0)
        context.logger.info(
          { object: name, policies: [...blamed] },
          "the API server does not take these policies with others: each gets an admission policy of its own",
        );
    }
  }

  function publish(
    context: ReconcileContext,
    wanted: readonly ObservedWant[],
    found: readonly Stored[],
    plan: Plan,
    applied: ReadonlyMap<string, Applied>,
  ): void {
    const states = statesOf(context, wanted, found, plan, applied);
    const standings = context
      .list(ShieldPolicyType)
      .map(({ metadata: { name, uid = "", generation = 0 } }): [string, Standing] => [
        name,
        { uid, generation, state: states.get(name) },
      ]);
    operator.native.publish(new Map(standings));
    const leftOutOf = new Map(wanted.map(({ policy, leftOut }) => [policy, leftOut]));
    for (const [name] of standings) {
      const leftOut = leftOutOf.get(name) ?? [];
      if (operator.world.noteLeftOut(name, leftOut) && leftOut.length > 0)
        context.logger.warn({ policy: name, leftOut }, "more exceptions than fit into one admission policy");
    }
  }

  async function reconcile(context: ReconcileContext): Promise<number | undefined> {
    const now = operator.clock.now();
    const { wanted, found } = observe(context, now);
    const plan = planObjects(wanted, found, (policy, home) => remainingMs(policy, home) === 0);
    const { applied, waitMs, problems } = await apply(context, plan, found);
    noteLoners(context, plan, applied);
    inPlace = new Map([...plan.homes].filter(([, { object }]) => applied.get(object)?.isInPlace === true));
    for (const { policy } of wanted) if (!plan.moving.has(policy)) moves.forget(policy);
    publish(context, wanted, found, plan, applied);
    if (problems.length > 0) throw problems[0];
    const moveMs = [...plan.moving].map((policy) => {
      const home = plan.homes.get(policy);
      return home && remainingMs(policy, home);
    });
    const expiryMs = wanted.map(({ nextExpiryMs }) => untilMoment(nextExpiryMs, now));
    return sooner(
      waitMs,
      ...moveMs,
      ...expiryMs,
      untilMoment(operator.breakGlasses.nextEndMs(), now),
      ...[...applied.values()].map((each) => each.requeueAfterMs),
    );
  }

  const all = () => ALL;
  return defineController<ValidatingAdmissionPolicy>({
    name: "native",
    for: { type: ValidatingAdmissionPolicy, ...OURS, predicate: () => false },
    watches: [
      watch({ type: ValidatingAdmissionPolicy, ...OURS, map: all }),
      watch({ type: ValidatingAdmissionPolicyBinding, ...OURS, map: all }),
      watch({ type: ShieldPolicyType, predicate: policyChanged, map: all }),
      watch({ type: ShieldExceptionType, predicate: generationChanged, map: all }),
      watch({ type: ShieldBreakGlassType, predicate: generationChanged, map: all }),
      watch({ type: Namespace, predicate: labelsChanged, map: all }),
      watch({ type: Secret, ...caSecret(operator.namespace), map: all }),
    ],
    sources: [
      (enqueue) => {
        enqueue(ALL[0]);
        operator.native.onRelease(() => enqueue(ALL[0]));
        operator.world.onCompiled(() => enqueue(ALL[0]));
      },
    ],
    reconcile: async (_, context) => lookAgain(await reconcile(context)),
  });
}

function statesOf(
  context: ReconcileContext,
  wanted: readonly ObservedWant[],
  found: readonly Stored[],
  plan: Plan,
  applied: ReadonlyMap<string, Applied>,
): ReadonlyMap<string, NativeState> {
  // What was written is not there for that: somebody may have taken it away.
  const there = placesOf(found.filter(({ name }) => isThere(cachedNative(context, name))));
  const warnings = new Map(
    plan.objects.flatMap((planned) => [...warningsOf(cachedNative(context, planned.name), planned)]),
  );
  return new Map(
    wanted.map(({ policy, problem }) => {
      const result = applied.get(plan.homes.get(policy)?.object ?? "");
      const refusal =
        problem === undefined ? result?.refusal : { reason: "RefusedByServer", message: problem };
      const isInstalled = result?.isInPlace === true || there.has(policy);
      return [policy, { refusal, isInstalled, typeWarnings: warnings.get(policy) ?? [] }];
    }),
  );
}

function placesOf(found: readonly Stored[]): ReadonlyMap<string, ReadonlySet<string>> {
  const places = new Map<string, Set<string>>();
  for (const { name, members } of found) {
    for (const { policy } of members) {
      const known = places.get(policy);
      if (known === undefined) places.set(policy, new Set([name]));
      else known.add(name);
    }
  }
  return places;
}

/** Who acts so far is said in the status; the rest of it says nothing about what is to be rendered. */
function policyChanged(change: ObjectChange<ShieldPolicyObject>): boolean {
  if (change.kind !== "updated") return true;
  const [before, after] = [change.old, change.object];
  return (
    before.metadata.uid !== after.metadata.uid ||
    before.metadata.generation !== after.metadata.generation ||
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    before.status?.enforcedBy !== after.status?.enforcedBy ||
    stagingKey(asPolicy(before)) !== stagingKey(asPolicy(after))
  );
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

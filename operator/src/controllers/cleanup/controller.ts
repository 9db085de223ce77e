import {
  annotationsChanged,
  anyOf,
  type ControllerDefinition,
  defineController,
  discoverKind,
  findMissingRights,
  generationChanged,
  Namespace,
  type ReconcileContext,
  type ResourceType,
  watch,
} from "@shieldx/controller-runtime";
import {
  DEFAULT_MAX_DELETIONS,
  MAX_CLEANUP_EXAMPLES,
  mayBeCleaned,
  type ShieldCleanupSpec,
  type ShieldCleanupStatus,
} from "@shieldx/crds";
import { type CompiledCleanup, compileCleanup, PolicyCompileError } from "@shieldx/policy-engine";
import { lookAgain, type OperatorContext, sooner, untilMoment } from "../../context.ts";
import { type ShieldCleanupObject, ShieldCleanupType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { keepStatus } from "../../status.ts";
import { readClocks } from "./clocks.ts";
import { deleteDue, describe, type Outcome } from "./delete.ts";
import { type Scan, scan } from "./scan.ts";
import { type Clocks, clockProblem, intervalMs, isFirstRun, requestIn, untilRunMs } from "./schedule.ts";
import { CLEANUP_STATUS_FIELDS, type ReadyState, type Run, statusOf } from "./status.ts";

/** Rights that are missing may have been granted, and kinds installed. */
const OBSTACLE_RETRY_MS = 30_000;

/** What this process knows of a policy beyond the cache, which lags behind its own writes. */
interface Known {
  readonly uid: string;
  status: ShieldCleanupStatus | undefined;
  clocks: Clocks | undefined;
}

/** Why a run cannot begin, or what it is to say of itself. */
class Obstacle extends Error {
  readonly ready: ReadyState;
  constructor(reason: string, message: string) {
    super(message);
    this.name = "Obstacle";
    this.ready = { status: "False", reason, message };
  }
}

/** Runs each ShieldCleanup at its interval: looks at everything, tells what is due, deletes at most so many. */
export function cleanupController(operator: OperatorContext): ControllerDefinition<ShieldCleanupObject> {
  const known = new Map<string, Known>();

  function knownOf({ metadata: { name, uid = "" }, status }: ShieldCleanupObject): Known {
    const before = known.get(name);
    if (before?.uid === uid) return before;
    const now: Known = { uid, status, clocks: undefined };
    known.set(name, now);
    return now;
  }

  async function write(
    object: ShieldCleanupObject,
    status: ShieldCleanupStatus,
    context: ReconcileContext,
  ): Promise<number | undefined> {
    knownOf(object).status = status;
    return keepStatus(
      operator,
      context,
      ShieldCleanupType,
      object,
      { ...status },
      {
        fieldManager: FIELD_MANAGER.cleanup,
        fields: CLEANUP_STATUS_FIELDS,
      },
    );
  }

  async function reconcile(name: string, context: ReconcileContext): Promise<number | undefined> {
    const object = context.get(ShieldCleanupType, { name });
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      known.delete(name);
      operator.metrics.cleanupDue.remove({ cleanup: name });
      operator.obstacles.clear(`status of ${ShieldCleanupType.kind} ${name}`);
      return undefined;
    }
    const { generation = 0, annotations = {} } = object.metadata;
    const before = knownOf(object).status;
    const observed = { generation, annotations, spec: object.spec, status: before };
    const now = operator.clock.now();
    const waitMs = untilRunMs(observed, now);
    if (waitMs > 0) return untilMoment(now + waitMs, now);
    try {
      const retryMs = await run(object, context);
      return sooner(retryMs, untilMoment(now + intervalMs(object.spec), now));
    } catch (error) {
      if (!(error instanceof Obstacle)) throw error;
      const about = { generation, previous: before };
      // The run that was before stays told, and the next attempt is not one of the interval.
      const status = statusOf(about, error.ready, undefined, now);
      const isNews = before?.conditions?.[0]?.reason !== error.ready.reason;
      if (isNews)
        context.events.event(object, {
          type: "Warning",
          reason: error.ready.reason,
          action: "CleanUp",
          note: error.message.slice(0, 1000),
        });
      return sooner(await write(object, status, context), OBSTACLE_RETRY_MS);
    }
  }

  async function run(object: ShieldCleanupObject, context: ReconcileContext): Promise<number | undefined> {
    const spec = object.spec as ShieldCleanupSpec;
    const { generation = 0, name, annotations = {} } = object.metadata;
    const request = requestIn(annotations);
    const own = knownOf(object);
    const previous = own.status;
    const cleanup = compiled(spec);
    const types = await typesOf(spec, context);
    const lacks = await wantRights(types, spec.action, context);
    const startedAtMs = operator.clock.now();
    const clocks = await readClocks(context.client, operator);
    const clock = clockProblem(clocks, own.clocks);
    own.clocks = clocks;
    const most = spec.maxDeletionsPerRun ?? DEFAULT_MAX_DELETIONS;
    const found = await scan({
      client: context.client,
      types,
      cleanup,
      namespace: (namespace) => context.get(Namespace, { name: namespace }),
      ownNamespaces: operator.ownNamespaces,
      nowMs: clocks.serverMs,
      most: Math.max(most, MAX_CLEANUP_EXAMPLES),
      signal: context.signal,
    });
    operator.metrics.cleanupDue.set({ cleanup: name }, found.due.count);
    const mode = modeOf(spec, isFirstRun({ status: previous, generation }), clock, lacks);
    const about = { generation, previous };
    const soFar: Run = { generation, startedAtMs, request, scan: found, outcomes: wouldDelete(found) };
    if (mode.deletes && found.due.count > 0) {
      // Noted before anything is deleted: whoever comes after a crash does not begin another run at once.
      const status = statusOf(about, deleting, soFar, startedAtMs);
      const retryMs = await write(object, status, context);
      if (retryMs !== undefined) return retryMs;
    }
    const outcomes = mode.deletes ? await deleteSome(object, found, most, context) : soFar.outcomes;
    const done: Run = { ...soFar, outcomes };
    const deleted = outcomes.filter(({ outcome }) => outcome === "Deleted").length;
    tell(object, done, deleted, context);
    const refused = outcomes.find(({ refusal }) => refusal !== undefined);
    const ready: ReadyState =
      refused?.refusal === undefined
        ? mode.ready(deleted)
        : {
            status: "False",
            reason: refused.refusal,
            message: `${describe(refused.due)} could not be deleted: ${refused.message}`,
          };
    return write(object, statusOf(about, withErrors(ready, found), done, operator.clock.now()), context);
  }

  function compiled(spec: ShieldCleanupSpec): CompiledCleanup {
    try {
      return compileCleanup(spec);
    } catch (error) {
      if (!(error instanceof PolicyCompileError)) throw error;
      throw new Obstacle("NotCompiled", `${error.message}. Nothing is deleted until that is put right`);
    }
  }

  async function typesOf(
    spec: ShieldCleanupSpec,
    { client, signal }: ReconcileContext,
  ): Promise<ResourceType[]> {
    const types: ResourceType[] = [];
    for (const target of spec.targets) {
      const { apiVersion, kind } = target;
      // The schema says so too; an object may have been stored before it did.
      if (!mayBeCleaned(target))
        throw new Obstacle(
          "NotCompiled",
          `spec.targets: ${apiVersion} ${kind} is never cleaned up: remove it`,
        );
      const type = await discoverKind(client, target, signal);
      if (type === undefined)
        throw new Obstacle(
          "KindNotInstalled",
          `spec.targets: the API server has no ${apiVersion} ${kind}: check the spelling, or install its CustomResourceDefinition`,
        );
      types.push(type);
    }
    return types;
  }

  /**
   * Which rights to delete are missing, of a policy that only reports so far: whoever is about to let it delete should know.
   * @throws Obstacle where it cannot do what it is told to
   */
  async function wantRights(
    types: readonly ResourceType[],
    action: ShieldCleanupSpec["action"],
    { client, signal }: ReconcileContext,
  ): Promise<string | undefined> {
    const lacking = async (verbs: readonly string[]): Promise<string | undefined> => {
      const cluster = types.map(({ group, plural }) => ({ apiGroups: [group], resources: [plural], verbs }));
      const missing = await findMissingRights(client, { cluster, namespace: [] }, operator.namespace, signal);
      return missing.length === 0 ? undefined : missing.join("; ");
    };
    const remedy =
      "add the kinds to rbac.cleanedKinds of the chart, or grant them to the ServiceAccount shieldx-operator";
    const needed = await lacking(action === "Delete" ? ["list", "delete"] : ["list"]);
    if (needed !== undefined)
      throw new Obstacle(
        "MissingRights",
        `ShieldX lacks the rights: ${needed}; ${remedy}. Looked at again every 30 s`,
      );
    const later = action === "Delete" ? undefined : await lacking(["delete"]);
    return later === undefined ? undefined : `ShieldX lacks the rights for that: ${later}; ${remedy}`;
  }

  /** The longest due first, one after the other. */
  async function deleteSome(
    object: ShieldCleanupObject,
    found: Scan,
    most: number,
    context: ReconcileContext,
  ): Promise<Outcome[]> {
    const { propagationPolicy = "Background" } = object.spec;
    const { name } = object.metadata;
    const outcomes: Outcome[] = [];
    for (const due of found.due.items.slice(0, most)) {
      const outcome = await deleteDue(context.client, due, propagationPolicy);
      outcomes.push(outcome);
      // No other one of the kind could be deleted either.
      if (outcome.refusal === "MissingRights") break;
      if (outcome.outcome !== "Deleted") continue;
      operator.metrics.cleanupDeleted.inc({ cleanup: name });
      const { type, metadata } = due;
      const apiVersion = type.group === "" ? type.version : `${type.group}/${type.version}`;
      const note = `deleted by ShieldCleanup ${name}: its time was over on ${new Date(due.sinceMs).toISOString()}`;
      const gone = { apiVersion, kind: type.kind, metadata };
      context.events.event(gone, { type: "Normal", reason: "CleanedUp", action: "Delete", note });
      context.logger.info({ kind: type.kind, namespace: metadata.namespace, object: metadata.name }, note);
    }
    return outcomes;
  }

  function tell(
    object: ShieldCleanupObject,
    { scan: found, outcomes }: Run,
    deleted: number,
    context: ReconcileContext,
  ): void {
    const { count } = found.due;
    if (count === 0) return;
    const some = outcomes
      .slice(0, 5)
      .map(({ due }) => describe(due))
      .join(", ");
    const isReport = deleted === 0;
    context.events.event(object, {
      type: "Normal",
      reason: isReport ? "WouldCleanUp" : "CleanedUp",
      action: isReport ? "Report" : "Delete",
      note: `${isReport ? `${count} objects are due` : `${deleted} of ${count} objects that are due were deleted`}: ${some}`.slice(
        0,
        1000,
      ),
    });
  }

  return defineController<ShieldCleanupObject>({
    name: "cleanup",
    for: { type: ShieldCleanupType, predicate: anyOf(generationChanged, annotationsChanged) },
    // For the labels of objects' namespaces, and nothing that would cause a run.
    watches: [watch({ type: Namespace, map: () => [] })],
    reconcile: async ({ name }, context) => lookAgain(await reconcile(name, context)),
  });
}

const deleting: ReadyState = { status: "True", reason: "Working", message: "a run is deleting what is due" };

interface Mode {
  readonly deletes: boolean;
  ready(deleted: number): ReadyState;
}

function modeOf(
  { action }: ShieldCleanupSpec,
  isFirst: boolean,
  clock: string | undefined,
  lacks: string | undefined,
): Mode {
  const reports = (status: "True" | "False", reason: string, message: string): Mode => ({
    deletes: false,
    ready: () => ({ status, reason, message }),
  });
  if (clock !== undefined) return reports("False", "ClockSkew", clock);
  if (action === "Report") {
    const told = "tells what is due and deletes nothing: set action: Delete to have it deleted";
    return reports("True", "Reporting", lacks === undefined ? told : `${told}. ${lacks}`);
  }
  if (isFirst)
    return reports(
      "True",
      "FirstRunReports",
      "the first run after a change of the policy only reports: see status.lastRun; from the next one on, what is due is deleted",
    );
  return {
    deletes: true,
    ready: (deleted) => ({
      status: "True",
      reason: "CleaningUp",
      message: `the last run deleted ${deleted} objects`,
    }),
  };
}

function wouldDelete({ due }: Scan): Outcome[] {
  return due.items.map((each) => ({ due: each, outcome: "WouldDelete" }));
}

/** What comes to no value stays for ever: somebody should know. */
function withErrors(ready: ReadyState, { errors, firstError = "" }: Scan): ReadyState {
  if (errors === 0) return ready;
  return {
    ...ready,
    message: `${ready.message}; ${errors} objects stay because of errors, e.g. ${firstError}`,
  };
}

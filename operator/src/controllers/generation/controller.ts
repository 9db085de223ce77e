import {
  annotationsChanged,
  anyOf,
  type ControllerDefinition,
  defineController,
  generationChanged,
  labelsChanged,
  Namespace,
  type ObjectKey,
  type ReconcileContext,
  watch,
} from "@shieldx/controller-runtime";
import type { ShieldGeneratorSpec } from "@shieldx/crds";
import { type CompiledGenerator, compileGenerator, PolicyCompileError } from "@shieldx/policy-engine";
import { lookAgain, type OperatorContext } from "../../context.ts";
import { type ShieldGeneratorObject, ShieldGeneratorType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { keepStatus } from "../../status.ts";
import type { GeneratedCaches } from "./caches.ts";
import { NamespaceKeeper } from "./namespace.ts";
import { GenerationStandings } from "./standings.ts";
import { GENERATOR_STATUS_FIELDS, generatorStatus } from "./status.ts";

/** Least time between two writes of one status while namespaces are gone through. */
const STATUS_INTERVAL_MS = 1_000;
/** How soon to look again for a cache that is being filled. */
const CACHE_RETRY_MS = 200;
/** Rights that are missing may have been granted. */
const RIGHTS_RETRY_MS = 30_000;
/** How long a generator has to be gone before what it made goes: one that is deleted and made anew keeps it. */
export const GONE_GRACE_MS = 5_000;

/** Names remembered of generators that are gone. */
const MOST_GONE = 1_000;

export interface GenerationParts {
  readonly caches: GeneratedCaches;
  /** All there are, for a namespace that changed. */
  readonly generators: () => readonly ShieldGeneratorObject[];
}

interface Compiled {
  readonly identity: string;
  /** The last that was understood. */
  readonly generator: CompiledGenerator | undefined;
  readonly error: string | undefined;
}

/**
 * Keeps what generators want in namespaces. A key with a namespace is one namespace for one generator; one without is the
 * generator itself: which namespaces there are to look at, and its status.
 */
export function generationController(
  operator: OperatorContext,
  { caches, generators }: GenerationParts,
): ControllerDefinition<ShieldGeneratorObject> {
  const standings = new GenerationStandings();
  const keeper = new NamespaceKeeper(operator, caches);
  const compiled = new Map<string, Compiled>();
  /** The state of each generator for which all namespaces have been queued, and when. */
  const fannedOut = new Map<string, { readonly identity: string; readonly atMs: number }>();
  const goneSince = new Map<string, number>();
  const statusWrittenAt = new Map<string, number>();
  let enqueue: (key: ObjectKey) => void = () => {};

  function compile({ metadata, spec }: ShieldGeneratorObject): Compiled {
    const { name } = metadata;
    const identity = identityOf(metadata);
    const before = compiled.get(name);
    if (before?.identity === identity) return before;
    let now: Compiled;
    try {
      now = { identity, generator: compileGenerator(spec as ShieldGeneratorSpec), error: undefined };
    } catch (error) {
      if (!(error instanceof PolicyCompileError)) throw error;
      now = { identity, generator: before?.generator, error: error.message };
    }
    compiled.set(name, now);
    return now;
  }

  function fanOut(name: string, identity: string, context: ReconcileContext): void {
    if (fannedOut.get(name)?.identity === identity) return;
    fannedOut.set(name, { identity, atMs: operator.clock.monotonicNow() });
    const namespaces = context.list(Namespace).map(({ metadata }) => metadata.name);
    standings.expect(name, namespaces);
    for (const namespace of namespaces) enqueue({ name, namespace });
  }

  /** The generator is gone: whatever it has made goes, once that has lasted. */
  function removeAll(name: string): number | undefined {
    compiled.delete(name);
    fannedOut.delete(name);
    statusWrittenAt.delete(name);
    standings.forget(name);
    operator.metrics.generatedObjects.remove({ generator: name });
    operator.metrics.generatedInStep.remove({ generator: name });
    operator.obstacles.clear(`status of ${ShieldGeneratorType.kind} ${name}`);
    if (!caches.haveSynced) return CACHE_RETRY_MS;
    const left = graceLeft(name);
    if (left > 0) return left;
    for (const namespace of caches.namespacesOf(name)) enqueue({ name, namespace });
    return undefined;
  }

  function graceLeft(name: string): number {
    const now = operator.clock.monotonicNow();
    const since = goneSince.get(name) ?? now;
    goneSince.set(name, since);
    // Labels on objects of tenants name generators as well; who is forgotten is only given the time once more.
    for (const key of goneSince.keys()) {
      if (goneSince.size <= MOST_GONE) break;
      goneSince.delete(key);
    }
    return since + GONE_GRACE_MS - now;
  }

  async function reconcileGenerator(name: string, context: ReconcileContext): Promise<number | undefined> {
    const object = context.get(ShieldGeneratorType, { name });
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return removeAll(name);
    goneSince.delete(name);
    const { identity, error, generator } = compile(object);
    const refused = generator === undefined ? [] : await keeper.refusedKinds(generator);
    // Namespaces of one that is not understood stay as they are. Rights that were granted are as good as a change.
    if (error === undefined) fanOut(name, `${identity} ${refused.join()}`, context);
    const now = operator.clock.monotonicNow();
    const standing = standings.standing(name);
    const since = Math.max(statusWrittenAt.get(name) ?? 0, fannedOut.get(name)?.atMs ?? 0);
    const waitMs = since + STATUS_INTERVAL_MS - now;
    if (error === undefined && standing.pending > 0 && waitMs > 0) return waitMs;
    statusWrittenAt.set(name, now);
    operator.metrics.generatedObjects.set({ generator: name }, standing.objects);
    operator.metrics.generatedInStep.set({ generator: name }, standing.inStep);
    const status = generatorStatus(
      {
        generation: object.metadata.generation ?? 0,
        previous: object.status,
        compileError: error,
        standing,
      },
      operator.clock.now(),
    );
    const retryMs = await keepStatus(
      operator,
      context,
      ShieldGeneratorType,
      object,
      { ...status },
      {
        fieldManager: FIELD_MANAGER.generator,
        fields: GENERATOR_STATUS_FIELDS,
      },
    );
    if (retryMs !== undefined) return retryMs;
    if (standing.pending > 0) return STATUS_INTERVAL_MS;
    return refused.length > 0 ? RIGHTS_RETRY_MS : undefined;
  }

  async function reconcileNamespace(
    { name, namespace }: { readonly name: string; readonly namespace: string },
    context: ReconcileContext,
  ): Promise<number | undefined> {
    if (!caches.haveSynced) return CACHE_RETRY_MS;
    const object = context.get(ShieldGeneratorType, { name });
    const isGone = object === undefined || object.metadata.deletionTimestamp !== undefined;
    if (isGone) {
      const left = graceLeft(name);
      if (left > 0) return left;
      return (await keeper.clear({ name, namespace }, context)).retryMs;
    }
    const { generator, error } = compile(object);
    if (error !== undefined || generator === undefined) {
      if (standings.note(name, namespace, undefined)) enqueue({ name });
      return undefined;
    }
    const before = standings.problemsIn(name, namespace);
    const { standing, retryMs, isStale } = await keeper.keep(
      { object, generator, namespace },
      before,
      context,
    );
    if (isStale !== true && standings.note(name, namespace, standing)) enqueue({ name });
    return retryMs;
  }

  return defineController<ShieldGeneratorObject>({
    name: "generation",
    for: { type: ShieldGeneratorType, predicate: generationChanged },
    concurrency: 4,
    watches: [
      watch({
        type: Namespace,
        predicate: anyOf(labelsChanged, annotationsChanged, generationChanged),
        map: ({ metadata }) =>
          generators().map((generator) => ({ name: generator.metadata.name, namespace: metadata.name })),
      }),
    ],
    sources: [
      (queue) => {
        enqueue = queue;
        caches.onTouched(({ generator, namespace }) => queue({ name: generator, namespace }));
      },
    ],
    reconcile: async (key, context) => {
      const { name, namespace } = key;
      return lookAgain(
        namespace === undefined
          ? await reconcileGenerator(name, context)
          : await reconcileNamespace({ name, namespace }, context),
      );
    },
  });
}

function identityOf({ uid, generation }: ShieldGeneratorObject["metadata"]): string {
  return `${uid}/${generation}`;
}

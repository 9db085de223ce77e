import {
  type KubeObject,
  Namespace,
  type ReconcileContext,
  type ResourceType,
  refusalOf,
} from "@shieldx/controller-runtime";
import { type CompiledGenerator, type GeneratedEntry, threadCpuNow } from "@shieldx/policy-engine";
import { type OperatorContext, sooner } from "../../context.ts";
import type { ShieldGeneratorObject } from "../../kinds.ts";
import { isLeftAloneNamespace } from "../../namespaces.ts";
import type { GeneratedCaches } from "./caches.ts";
import { Contest } from "./contest.ts";
import {
  describeEntry,
  existsAlready,
  type GenerationProblem,
  type GenerationStep,
  planNamespace,
} from "./decide.ts";
import type { NamespaceStanding } from "./standings.ts";
import { GenerationWriter, type Written } from "./write.ts";

/** Until the cache has caught up. */
const STALE_RETRY_MS = 250;
/** An object of somebody else's may be gone: nobody tells, for only our own are watched. */
const CONFLICT_RETRY_MS = 60_000;
/** Time of the processor for the expressions of one generator in one namespace. */
const LONGEST_EVALUATION_MS = 100;

export interface Kept {
  /** undefined: the generator has nothing to do with the namespace. */
  readonly standing: NamespaceStanding | undefined;
  readonly retryMs: number | undefined;
  /** The cache lags, or somebody is writing: there is nothing to say yet. */
  readonly isStale?: boolean;
}

interface Place {
  readonly object: ShieldGeneratorObject;
  readonly generator: CompiledGenerator;
  readonly namespace: string;
}

/** What came of one step. */
interface Done {
  readonly problem?: GenerationProblem;
  readonly retryMs?: number;
  readonly isStale?: boolean;
}

const stale: Done = { retryMs: STALE_RETRY_MS, isStale: true };

/** Brings one namespace in step with one generator. */
export class NamespaceKeeper {
  readonly #operator: OperatorContext;
  readonly #caches: GeneratedCaches;
  readonly #writer = new GenerationWriter();
  readonly #contest = new Contest();

  constructor(operator: OperatorContext, caches: GeneratedCaches) {
    this.#operator = operator;
    this.#caches = caches;
  }

  /** Kinds of the generator that the operator has no rights to keep. */
  async refusedKinds({ entries }: CompiledGenerator): Promise<string[]> {
    const kinds: string[] = [];
    for (const { kind } of entries)
      if ((await this.#caches.state(kind)).kind === "refused") kinds.push(kind.kind);
    return kinds;
  }

  async keep(
    { object, generator, namespace: name }: Place,
    before: readonly GenerationProblem[],
    context: ReconcileContext,
  ): Promise<Kept> {
    const namespace = context.get(Namespace, { name });
    // What is in one that is being deleted goes with it.
    if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined)
      return { standing: undefined, retryMs: undefined };
    const clear = (): Promise<Kept> =>
      this.clear({ name: object.metadata.name, namespace: name }, context, object);
    if (isLeftAloneNamespace(name, this.#operator.ownNamespaces)) return clear();
    const held = generator.matches(namespace, lateAfter(LONGEST_EVALUATION_MS));
    if (held.kind === "no") return clear();
    const { entries } = generator;
    if (held.kind === "error") {
      const message = `spec.matchConditions: ${held.message}. What is there stays as it is`;
      const problem = { object: "", reason: "EvaluationError", message };
      this.#tell(object, name, [problem], before, context);
      return { standing: { objects: entries.length, inStep: 0, problems: [problem] }, retryMs: undefined };
    }
    const refused = await this.#refused(entries);
    if (refused === "starting") return { standing: undefined, retryMs: STALE_RETRY_MS, isStale: true };
    const wanted = generator.render(namespace, lateAfter(LONGEST_EVALUATION_MS));
    const plan = planNamespace({
      generator: object.metadata.name,
      namespace: name,
      wanted,
      present: this.#caches.presentIn(name),
    });
    const problems = [...this.#rightProblems(entries, refused), ...plan.problems];
    let retryMs: number | undefined;
    let isStale = false;
    for (const step of plan.steps.filter(({ of }) => !refused.has(of.kind))) {
      const done = await this.#do(step, object, name, context);
      retryMs = sooner(retryMs, done.retryMs);
      isStale ||= done.isStale === true;
      if (done.problem !== undefined) problems.push(done.problem);
    }
    if (problems.some(({ reason }) => reason === "NotOurs")) retryMs = sooner(retryMs, CONFLICT_RETRY_MS);
    this.#tell(object, name, problems, before, context);
    const inStep = Math.max(0, entries.length - problems.length);
    return { standing: { objects: entries.length, inStep, problems }, retryMs, isStale };
  }

  /** Removes what the generator has made in the namespace, and nothing else. */
  async clear(
    { name, namespace }: { readonly name: string; readonly namespace: string },
    context: ReconcileContext,
    object?: ShieldGeneratorObject,
  ): Promise<Kept> {
    const present = this.#caches.presentIn(namespace);
    const { steps } = planNamespace({ generator: name, namespace, wanted: [], present });
    let retryMs: number | undefined;
    for (const step of steps) {
      const done = await this.#do(step, object, namespace, context);
      retryMs = sooner(retryMs, done.retryMs);
      if (done.problem !== undefined)
        context.logger.warn(
          { namespace, reason: done.problem.reason },
          `${done.problem.object}: ${done.problem.message}`,
        );
    }
    return { standing: undefined, retryMs };
  }

  async #refused(entries: readonly GeneratedEntry[]): Promise<ReadonlyMap<string, string> | "starting"> {
    const refused = new Map<string, string>();
    for (const { kind } of entries) {
      const state = await this.#caches.state(kind);
      if (state.kind === "starting") return "starting";
      if (state.kind === "refused") refused.set(kind.kind, state.missing);
    }
    return refused;
  }

  #rightProblems(
    entries: readonly GeneratedEntry[],
    refused: ReadonlyMap<string, string>,
  ): GenerationProblem[] {
    return entries.flatMap((entry) => {
      const missing = refused.get(entry.kind.kind);
      if (missing === undefined) return [];
      const message =
        `ShieldX lacks the rights: ${missing}. Add ${entry.kind.kind} to rbac.generatedKinds of the chart, or grant them to ` +
        "the ServiceAccount shieldx-operator; looked at again every 30 s";
      return [{ object: describeEntry(entry), reason: "MissingRights", message }];
    });
  }

  async #do(
    step: GenerationStep,
    generator: ShieldGeneratorObject | undefined,
    namespace: string,
    context: ReconcileContext,
  ): Promise<Done> {
    const type = this.#caches.typeOf(step.of);
    const object = step.kind === "remove" ? step.current : step.desired;
    const what = `${step.of.kind} ${object.metadata.name}`;
    if (step.kind === "create" && this.#caches.isUnderWay(type, object)) return stale;
    const id = `${step.of.kind} ${namespace}/${object.metadata.name}`;
    const pauseMs = this.#pause(step, id);
    if (pauseMs !== undefined) {
      const message =
        "somebody changes or deletes it as often as it is put right (more than five times in ten minutes), so it is left alone for " +
        "a while: see in its managedFields who writes it, and keep it in one place only";
      return { problem: { object: what, reason: "Contested", message }, retryMs: pauseMs };
    }
    let written: Written;
    try {
      written = await this.#write(step, type, context);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      // The namespace goes, and what is in it.
      if (refusal.reason === "NamespaceTerminating" || refusal.reason === "NamespaceMissing") return {};
      if (refusal.isPassing) return stale;
      return {
        problem: { object: what, reason: refusal.reason, message: refusal.message },
        retryMs: CONFLICT_RETRY_MS,
      };
    }
    return this.#conclude(written, { what, id, object, generator, namespace, context });
  }

  #pause(step: GenerationStep, id: string): number | undefined {
    if (step.kind === "remove") return undefined;
    // Only where there is something to put right.
    if (step.kind === "keep" && this.#writer.isAsDesired(step.current, step.desired)) return undefined;
    return this.#contest.pauseMs(id, this.#operator.clock.monotonicNow());
  }

  async #write(step: GenerationStep, type: ResourceType, { client }: ReconcileContext): Promise<Written> {
    switch (step.kind) {
      case "create": {
        // Before it is made: the cache may show it before the answer is here.
        this.#caches.noteMade(type, step.desired);
        let written: Written | undefined;
        try {
          written = await this.#writer.create(client, type, step.desired);
          return written;
        } finally {
          if (written === undefined || written.kind === "exists") this.#caches.forgetMade(type, step.desired);
        }
      }
      case "keep":
        return this.#writer.keep(client, type, step.current, step.desired);
      case "remove":
        return this.#writer.remove(client, type, step.current);
      default:
        return step satisfies never;
    }
  }

  #conclude(
    written: Written,
    about: {
      readonly what: string;
      readonly id: string;
      readonly object: KubeObject;
      readonly generator: ShieldGeneratorObject | undefined;
      readonly namespace: string;
      readonly context: ReconcileContext;
    },
  ): Done {
    const { what, id, generator, namespace, context } = about;
    const { generationWrites } = this.#operator.metrics;
    const mended = (): void => this.#contest.mended(id, this.#operator.clock.monotonicNow());
    const tell = (reason: string, note: string): void => {
      if (generator !== undefined)
        context.events.event(generator, {
          type: "Normal",
          reason,
          action: "Generate",
          note: note.slice(0, 1000),
        });
    };
    switch (written.kind) {
      case "same":
        return {};
      case "created":
        generationWrites.inc({ operation: "create" });
        mended();
        return {};
      case "updated":
        generationWrites.inc({ operation: written.isMend ? "mend" : "update" });
        if (!written.isMend) return {};
        mended();
        tell(
          "Mended",
          `${what} in namespace ${namespace} was changed and is put right (${written.difference})`,
        );
        return {};
      case "removed":
        generationWrites.inc({ operation: "delete" });
        tell("Removed", `${what} in namespace ${namespace} is no longer wanted there and was deleted`);
        return {};
      case "exists":
        return { problem: existsAlready(what, generator?.metadata.name ?? "") };
      case "stale":
        return stale;
      default:
        return written satisfies never;
    }
  }

  /** Of what is new to this namespace, to whoever looks at the generator and at the namespace. */
  #tell(
    generator: ShieldGeneratorObject,
    name: string,
    problems: readonly GenerationProblem[],
    before: readonly GenerationProblem[],
    context: ReconcileContext,
  ): void {
    const known = new Set(before.map(({ object, reason }) => `${object} ${reason}`));
    for (const { object, reason, message } of problems) {
      if (known.has(`${object} ${reason}`)) continue;
      const about = object === "" ? "" : `${object} in `;
      const note = `${about}namespace ${name}: ${message}`.slice(0, 1000);
      context.events.event(generator, { type: "Warning", reason, action: "Generate", note });
      const namespace = context.get(Namespace, { name });
      if (namespace !== undefined && reason !== "MissingRights")
        context.events.event(namespace, {
          type: "Warning",
          reason,
          action: "Generate",
          note: `ShieldGenerator ${generator.metadata.name}: ${note}`.slice(0, 1000),
        });
    }
  }
}

function lateAfter(budgetMs: number): () => boolean {
  const until = threadCpuNow() + budgetMs;
  return () => threadCpuNow() > until;
}

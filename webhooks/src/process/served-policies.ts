import { type Clock, delay, type Informer, type Logger } from "@shieldx/controller-runtime";
import { isServed, NOT_SERVED, type PolicyProblem } from "@shieldx/crds";
import {
  CompilerUnavailableError,
  type DecisionSource,
  Documents,
  type RegoCompiler,
  type ServedPolicy,
  servePolicy,
  withoutClashes,
} from "@shieldx/policy-engine/decisions";
import type { ShieldPolicyObject } from "../names.ts";

export interface ServedPoliciesParts {
  readonly policies: Informer<ShieldPolicyObject>;
  readonly compiler: RegoCompiler;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is served, or not, is otherwise than before. */
  readonly onChange: () => void;
}

/** What is known of one policy that asks to be served. */
interface Known {
  readonly uid: string | undefined;
  readonly generation: number;
  /** The last version that compiled. */
  readonly policy: ServedPolicy | undefined;
  /** Why the present version is not served. */
  readonly problem: string | undefined;
}

interface ServingProblem {
  readonly policy: string;
  readonly message: string;
}

const inWords = ({ policy, message }: ServingProblem): string => `ShieldPolicy ${policy}: ${message}`;

const retryMs = 10_000;

/**
 * Keeps what is served over HTTP in step with the cluster: policies are compiled one after the other, and one reference
 * is swapped when all are done. A policy that no longer compiles keeps its last good version.
 */
export class ServedPolicies {
  readonly #parts: ServedPoliciesParts;
  #known = new Map<string, Known>();
  #source: DecisionSource | undefined;
  #problems: readonly ServingProblem[] = [];
  #isCompiling = false;
  #isStale = false;
  #building: Promise<void> | undefined;
  readonly #ending = new AbortController();

  constructor(parts: ServedPoliciesParts) {
    this.#parts = parts;
    parts.policies.on({
      added: () => this.#changed(),
      updated: (before, after) => {
        if (before.metadata.generation !== after.metadata.generation) this.#changed();
      },
      deleted: () => this.#changed(),
    });
  }

  /** Undefined while no policy asks to be served. */
  get source(): DecisionSource | undefined {
    return this.#source;
  }

  /** Why a policy that asks to be served is not, as it is written now. */
  get problem(): string | undefined {
    if (this.#isCompiling) return "policies are being compiled; try again";
    const [first] = this.#problems;
    return first && inWords(first);
  }

  /** All of these, for the policies' status. */
  get problems(): readonly PolicyProblem[] {
    return this.#problems.map((problem) => ({ ...problem, reason: NOT_SERVED }));
  }

  /** Resolves once everything that the cache holds has been tried. */
  async settled(): Promise<void> {
    this.#changed();
    while (this.#building !== undefined) await this.#building;
  }

  stop(): void {
    this.#ending.abort(new Error("the replica ends"));
  }

  #changed(): void {
    this.#isStale = true;
    this.#building ??= this.#build().finally(() => {
      this.#building = undefined;
    });
  }

  async #build(): Promise<void> {
    // All changes of one turn at once.
    await new Promise(setImmediate);
    while (this.#isStale && !this.#ending.signal.aborted) {
      this.#isStale = false;
      if (!this.#parts.policies.hasSynced) return;
      await this.#rebuild(asking(this.#parts.policies.store.list()));
    }
  }

  async #rebuild(objects: readonly ShieldPolicyObject[]): Promise<void> {
    const { logger } = this.#parts;
    if (objects.length > 0 && this.#source === undefined) {
      this.#source = new Documents([]);
      this.#isCompiling = true;
    }
    const known = new Map<string, Known>();
    for (const object of objects) known.set(object.metadata.name, await this.#knownOf(object));
    const policies = [...known.values()].flatMap(({ policy }) => (policy === undefined ? [] : [policy]));
    const { served, problems: clashes } = withoutClashes(policies);
    const problems = [
      ...[...known].flatMap(([policy, { problem }]) =>
        problem === undefined ? [] : [{ policy, message: problem }],
      ),
      ...clashes.map(({ policy, message }) => ({ policy, message })),
    ];
    const before = new Set(this.#problems.map(inWords));
    for (const problem of problems.map(inWords))
      if (!before.has(problem)) logger.warn({}, `not served as it is written: ${problem}`);
    this.#known = known;
    this.#isCompiling = false;
    this.#problems = problems;
    const source = objects.length === 0 ? undefined : new Documents(served);
    if (versions(source) !== versions(this.#source)) {
      const names = served.map(({ name }) => name);
      logger.info({ policies: names.slice(0, 20), count: names.length }, "policies are served over HTTP");
    }
    this.#source = source;
    this.#parts.onChange();
  }

  async #knownOf({ metadata, spec }: ShieldPolicyObject): Promise<Known> {
    const { name, uid, generation = 0 } = metadata;
    const before = this.#known.get(name);
    const isSame = before?.uid === uid;
    if (isSame && before?.generation === generation) return before;
    const kept = isSame ? before?.policy : undefined;
    const { module, version = "v1" } = spec.rego ?? {};
    if (module === undefined)
      return {
        uid,
        generation,
        policy: kept,
        problem: "spec.rego.module is missing: only modules are served",
      };
    try {
      const modules = { [`${name}.rego`]: module };
      const outcome = await servePolicy(this.#parts.compiler, { name, modules, regoVersion: version });
      if (outcome.ok) return { uid, generation, policy: outcome.policy, problem: undefined };
      const { message, mayPass } = outcome.problem;
      return mayPass === true
        ? this.#again(uid, kept, message)
        : { uid, generation, policy: kept, problem: message };
    } catch (error) {
      if (!(error instanceof CompilerUnavailableError)) throw error;
      return this.#again(uid, kept, error.message);
    }
  }

  /** Without a generation it is compiled again next time. */
  #again(uid: string | undefined, policy: ServedPolicy | undefined, why: string): Known {
    this.#retry();
    return { uid, generation: Number.NaN, policy, problem: `${why}; it is tried again` };
  }

  #retry(): void {
    const { signal } = this.#ending;
    void delay(this.#parts.clock, retryMs, signal).then(
      () => this.#changed(),
      () => undefined,
    );
  }
}

/** Policies that ask to be served, the oldest first: it keeps a package that another asks for as well. */
function asking(objects: readonly ShieldPolicyObject[]): ShieldPolicyObject[] {
  const age = ({ metadata }: ShieldPolicyObject): string =>
    `${metadata.creationTimestamp ?? ""} ${metadata.name}`;
  return objects
    .filter(({ spec, metadata }) => isServed(spec) && metadata.deletionTimestamp === undefined)
    .sort((a, b) => (age(a) < age(b) ? -1 : 1));
}

function versions(source: DecisionSource | undefined): string {
  return JSON.stringify([...(source?.revisions ?? [])]);
}

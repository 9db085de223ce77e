import { type Clock, delay, type Informer, type Logger } from "@shieldx/controller-runtime";
import { type BundleSpec, isServed, NOT_SERVED, type PolicyProblem } from "@shieldx/crds";
import type { RegoPolicies } from "@shieldx/policy-engine";
import {
  CompilerUnavailableError,
  type DecisionSource,
  Documents,
  packagePath,
  type ServedPolicy,
  type ServeOutcome,
  servePolicy,
  withoutClashes,
} from "@shieldx/policy-engine/decisions";
import type { ShieldPolicyObject } from "../names.ts";
import { ServedBundles } from "./served-bundles.ts";

export interface ServedPoliciesParts {
  readonly policies: Informer<ShieldPolicyObject>;
  /** Admission's too, with its compiler and the bundles it holds. */
  readonly rego: Pick<RegoPolicies, "compiler" | "wantServed" | "bundle" | "onChange" | "areServedSettled">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is served, or not, is otherwise than before. */
  readonly onChange: () => void;
}

/** What is known of one policy that asks to be served. */
interface Known {
  readonly uid: string | undefined;
  /** Generation of the policy, and which bundle it was made of; undefined where it has to be looked at again. */
  readonly version: string | undefined;
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
  readonly #bundles: ServedBundles;
  #known = new Map<string, Known>();
  #source: DecisionSource | undefined;
  #problems: readonly ServingProblem[] = [];
  #unservedMasks: readonly string[] = [];
  #isCompiling = false;
  #isStale = false;
  #building: Promise<void> | undefined;
  #news = Promise.withResolvers<void>();
  readonly #ending = new AbortController();

  constructor(parts: ServedPoliciesParts) {
    this.#parts = parts;
    this.#bundles = new ServedBundles(parts.rego);
    parts.rego.onChange(() => this.#changed());
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

  /** A policy that is not served in any version, and may say what the decision log must not show; undefined without. */
  get unservedMask(): string | undefined {
    return this.#unservedMasks[0];
  }

  /** All of these, for the policies' status. */
  get problems(): readonly PolicyProblem[] {
    return this.#problems.map((problem) => ({ ...problem, reason: NOT_SERVED }));
  }

  /** Resolves once everything that the cache holds has been tried; bundles are waited for as those of admission are. */
  async settled(): Promise<void> {
    const { rego } = this.#parts;
    this.#changed();
    while (!this.#ending.signal.aborted && (this.#building !== undefined || !rego.areServedSettled))
      await (this.#building ?? this.#news.promise);
  }

  stop(): void {
    this.#ending.abort(new Error("the replica ends"));
    this.#news.resolve();
  }

  #changed(): void {
    this.#isStale = true;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
    this.#building ??= this.#build()
      .catch((error: unknown) => {
        // Admission must not end with it.
        this.#parts.logger.error(
          { err: error },
          "what is served could not be brought up to date; it is tried again",
        );
        this.#retry();
      })
      .finally(() => {
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
      this.#unservedMasks = masksAmong(objects, []);
    }
    this.#bundles.want(objects);
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
    this.#unservedMasks = masksAmong(objects, served);
    const source = objects.length === 0 ? undefined : new Documents(served);
    if (versions(source) !== versions(this.#source)) {
      const names = served.map(({ name }) => name);
      logger.info({ policies: names.slice(0, 20), count: names.length }, "policies are served over HTTP");
    }
    this.#source = source;
    this.#parts.onChange();
  }

  async #knownOf(object: ShieldPolicyObject): Promise<Known> {
    const { uid, generation = 0, name } = object.metadata;
    const known = this.#known.get(name);
    const before = known?.uid === uid ? known : undefined;
    const kept = before?.policy;
    const { module, bundle, version: regoVersion = "v1" } = object.spec.rego ?? {};
    if (bundle !== undefined) return this.#knownOfBundle(object, bundle, before);
    const version = String(generation);
    if (before?.version === version) return before;
    if (module === undefined)
      return { uid, version, policy: kept, problem: "spec.rego has neither module nor bundle: add one" };
    return this.#tried(uid, version, kept, () =>
      servePolicy(this.#parts.rego.compiler, { name, modules: { [`${name}.rego`]: module }, regoVersion }),
    );
  }

  async #knownOfBundle(
    object: ShieldPolicyObject,
    bundle: BundleSpec,
    before: Known | undefined,
  ): Promise<Known> {
    const { uid, generation = 0 } = object.metadata;
    const without = (problem: string): Known => ({
      uid,
      version: undefined,
      policy: before?.policy,
      problem,
    });
    const state = this.#bundles.state(bundle);
    switch (state.kind) {
      case "ready": {
        const version = `${generation} ${state.current.identity}`;
        if (before?.version === version) return before;
        return this.#tried(uid, version, before?.policy, () => this.#bundles.serve(object, state.current));
      }
      case "refused":
        return without(state.problem);
      case "fetching":
        return without(
          state.failure === undefined
            ? "its bundle has not been fetched yet"
            : `its bundle cannot be had so far: ${state.failure}`,
        );
      default:
        return state satisfies never;
    }
  }

  async #tried(
    uid: string | undefined,
    version: string,
    kept: ServedPolicy | undefined,
    serve: () => Promise<ServeOutcome>,
  ): Promise<Known> {
    try {
      const outcome = await serve();
      if (outcome.ok) return { uid, version, policy: outcome.policy, problem: undefined };
      const { message, mayPass } = outcome.problem;
      return mayPass === true
        ? this.#again(uid, kept, message)
        : { uid, version, policy: kept, problem: message };
    } catch (error) {
      if (error instanceof CompilerUnavailableError) return this.#again(uid, kept, error.message);
      // A defect of ours about one policy must not end the process, nor keep the others from being served.
      return this.#again(uid, kept, `it could not be compiled: ${String(error)}`);
    }
  }

  /** Without a version it is compiled again next time. */
  #again(uid: string | undefined, policy: ServedPolicy | undefined, why: string): Known {
    this.#retry();
    return { uid, version: undefined, policy, problem: `${why}; it is tried again` };
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

/** What policies say about masking, by OPA's name. */
const maskDocument = ["system", "log", "mask"];

/** Names of those that are not served and may have a say in masking: one whose package is not known might. */
function masksAmong(
  objects: readonly ShieldPolicyObject[],
  served: readonly Pick<ServedPolicy, "name">[],
): string[] {
  const names = new Set(served.map(({ name }) => name));
  return objects
    .filter(({ metadata, spec }) => !names.has(metadata.name) && mayMask(spec.rego?.module))
    .map(({ metadata }) => metadata.name);
}

function mayMask(module: string | undefined): boolean {
  const path = module === undefined ? undefined : packagePath(module);
  return path === undefined || path.every((name, at) => name === (maskDocument[at] ?? name));
}

function versions(source: DecisionSource | undefined): string {
  return JSON.stringify([...(source?.revisions ?? [])]);
}

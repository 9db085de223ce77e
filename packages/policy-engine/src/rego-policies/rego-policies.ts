/**
 * Keeps the programs of policies in Rego, from modules and from bundles: whoever takes policies in says which it wants, asks how
 * far they are, and is told when that changed.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type BundleSpec, isOnlyServed, type RegoSpec } from "@shieldx/crds";
import { bundleFolder } from "../rego/bundle-source/index.ts";
import type { RegoCompiler } from "../rego/compiler/index.ts";
import type { RegoPrograms, RegoSource, RegoState, Timers } from "../rego/program/index.ts";
import { bundleOptions, type ReadSecret } from "./bundle-options.ts";
import { type CurrentBundle, HeldBundle } from "./held-bundle.ts";
import { bundleSource, moduleSource, type RegoUse } from "./source-of.ts";
import type { BundleState, RegoPolicyParts, RegoPolicyState, ServedBundleUse } from "./state.ts";

export interface RegoPoliciesParts<Handle> {
  readonly programs: RegoPrograms<Handle>;
  /** The one that programs are compiled by: two at a time would take too much memory. */
  readonly compiler: RegoCompiler;
  readonly clock: Timers<Handle>;
  /** Left out, bundles are not fetched. */
  readonly readSecret?: ReadSecret | undefined;
  /** Of a bundle as a tar archive; left out, what suits policies. */
  readonly largestBundleMiB?: number | undefined;
  /** Where bundles are kept for the next start; left out, nowhere. */
  readonly folder?: string | undefined;
  readonly log: (level: "info" | "warn", fields: Readonly<Record<string, unknown>>, message: string) => void;
}

/** Who uses a bundle. */
interface BundleUses {
  readonly judging: readonly RegoUse[];
  readonly served: readonly ServedBundleUse[];
}

interface Held {
  readonly bundle: HeldBundle;
  uses: BundleUses;
  isPatient: boolean;
}

const nobody: BundleUses = { judging: [], served: [] };
/** How long a first set waits for a bundle whose server does not answer. */
const longestWaitMs = 15_000;
const compilingMs = 120_000;

export class RegoPolicies<Handle = unknown> {
  readonly #parts: RegoPoliciesParts<Handle>;
  readonly #bundles = new Map<string, Held>();
  readonly #listeners = new Set<() => void>();
  #wanted: readonly RegoSpec[] = [];
  #served: readonly ServedBundleUse[] = [];
  #count = 0;

  constructor(parts: RegoPoliciesParts<Handle>) {
    this.#parts = parts;
    parts.programs.onChange(() => this.#tell());
  }

  get compiler(): RegoCompiler {
    return this.#parts.compiler;
  }

  /** Called after some policy has come further. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Fetches and compiles what these need, and lets go of what is needed no more. */
  want(policies: Iterable<RegoPolicyParts>): void {
    this.#wanted = [...policies].flatMap((policy) => regoOf(policy) ?? []);
    this.#holdBundles();
    this.#parts.programs.want(this.#wanted.flatMap((rego) => this.#source(rego) ?? []));
  }

  /** Fetches the bundles of policies that are served, and lets go of those that are needed no more. */
  wantServed(uses: Iterable<ServedBundleUse>): void {
    this.#served = [...uses];
    this.#holdBundles();
  }

  /** The bundle that is in use, or why there is none. */
  bundle(spec: BundleSpec): BundleState {
    if (this.#parts.readSecret === undefined)
      return { kind: "fetching", failure: "bundles are fetched in a cluster only" };
    const held = this.#bundles.get(keyOf(spec))?.bundle;
    if (held?.refusal !== undefined) return { kind: "refused", problem: held.refusal };
    if (held?.current === undefined) return { kind: "fetching", failure: held?.problem };
    return { kind: "ready", current: held.current };
  }

  readonly state = (policy: RegoPolicyParts): RegoPolicyState => {
    const rego = regoOf(policy);
    if (rego === undefined) return { kind: "refused", problem: "there is no policy in Rego" };
    if (rego.bundle === undefined) {
      const source = moduleSource(rego);
      return source === undefined
        ? { kind: "refused", problem: "there is no module" }
        : this.#parts.programs.state(source);
    }
    const state = this.bundle(rego.bundle);
    return state.kind === "ready" ? this.#stateIn(state.current, rego) : state;
  };

  /** Why a bundle that is in use is not the newest; undefined where it is, as far as is known. */
  outdated(policy: RegoPolicyParts): string | undefined {
    const { bundle } = policy.rego ?? {};
    const held = bundle === undefined ? undefined : this.#bundles.get(keyOf(bundle))?.bundle;
    return held?.current === undefined ? undefined : held.problem;
  }

  /** Whether there is an answer to every policy that is wanted, or it has been waited for long enough. */
  get isSettled(): boolean {
    return this.#areSettled(({ judging }) => judging.length > 0) && this.#parts.programs.isSettled;
  }

  /** The same of the bundles of policies that are served. */
  get areServedSettled(): boolean {
    return this.#areSettled(({ served }) => served.length > 0);
  }

  #areSettled(isMeant: (uses: BundleUses) => boolean): boolean {
    return [...this.#bundles.values()].every(
      ({ bundle, isPatient, uses }) => !isMeant(uses) || bundle.isSettled || !isPatient,
    );
  }

  /** Compiles one policy now, if its bundle is there; gives up waiting after `timeoutMs`. */
  async prepare(policy: RegoPolicyParts, timeoutMs: number): Promise<RegoPolicyState> {
    const source = this.#source(regoOf(policy));
    return source === undefined ? this.state(policy) : this.#parts.programs.prepare(source, timeoutMs);
  }

  stop(): void {
    this.#parts.programs.stop();
    for (const { bundle } of this.#bundles.values()) void bundle.stop();
    this.#bundles.clear();
  }

  #source(rego: RegoSpec | undefined): RegoSource | undefined {
    if (rego?.bundle === undefined) return rego === undefined ? undefined : moduleSource(rego);
    const current = this.#bundles.get(keyOf(rego.bundle))?.bundle.current;
    const source = current === undefined ? undefined : bundleSource(current.bundle, current.identity, rego);
    return source === undefined || "problem" in source ? undefined : source;
  }

  #stateIn({ bundle, identity }: CurrentBundle, use: RegoUse): RegoState {
    const source = bundleSource(bundle, identity, use);
    return "problem" in source
      ? { kind: "refused", problem: source.problem }
      : this.#parts.programs.state(source);
  }

  #holdBundles(): void {
    const { readSecret } = this.#parts;
    const wanted = this.#usesByBundle();
    for (const [key, { bundle }] of this.#bundles) {
      if (wanted.has(key)) continue;
      this.#bundles.delete(key);
      void bundle.stop();
    }
    for (const [key, { spec, ...uses }] of wanted) {
      const known = this.#bundles.get(key);
      if (known !== undefined) known.uses = uses;
      else if (readSecret !== undefined) this.#hold(key, spec, uses, readSecret);
    }
  }

  #usesByBundle(): ReadonlyMap<string, BundleUses & { readonly spec: BundleSpec }> {
    const found = new Map<string, { spec: BundleSpec; judging: RegoUse[]; served: ServedBundleUse[] }>();
    const usesOf = (spec: BundleSpec) => {
      const key = keyOf(spec);
      const uses = found.get(key) ?? { spec, judging: [], served: [] };
      found.set(key, uses);
      return uses;
    };
    for (const rego of this.#wanted) if (rego.bundle !== undefined) usesOf(rego.bundle).judging.push(rego);
    for (const use of this.#served) usesOf(use.bundle).served.push(use);
    return found;
  }

  #hold(key: string, spec: BundleSpec, uses: BundleUses, readSecret: ReadSecret): void {
    const { clock, folder, log } = this.#parts;
    const store = folder === undefined ? {} : { store: bundleFolder(join(folder, key)) };
    const bundle = new HeldBundle({
      options: () => ({ ...bundleOptions(spec, readSecret, this.#parts.largestBundleMiB), ...store }),
      activate: (next, before) => this.#makeReady(this.#bundles.get(key)?.uses ?? nobody, next, before),
      onChange: () => this.#changed(),
      identity: () => `${key} ${++this.#count}`,
      log,
    });
    const held: Held = { bundle, uses, isPatient: true };
    this.#bundles.set(key, held);
    clock.setTimeout(() => {
      held.isPatient = false;
      if (!bundle.isSettled) this.#changed();
    }, longestWaitMs);
  }

  /** What worked with the bundle before must go on working; what never did is no reason to stay with that one. */
  async #makeReady(
    { judging, served }: BundleUses,
    next: CurrentBundle,
    before: CurrentBundle | undefined,
  ): Promise<void> {
    for (const use of judging) {
      const source = bundleSource(next.bundle, next.identity, use);
      const state: RegoState =
        "problem" in source
          ? { kind: "refused", problem: source.problem }
          : await this.#parts.programs.prepare(source, compilingMs);
      if (state.kind === "compiling") throw new Error(state.failure ?? "it could not be compiled in time");
      const worked = before !== undefined && this.#stateIn(before, use).kind === "ready";
      if (state.kind === "refused" && worked) throw new Error(state.problem);
    }
    for (const use of served) await use.makeReady(next, before);
  }

  /** Sources of a new bundle are wanted from now on, and not those of the one before. */
  #changed(): void {
    this.#parts.programs.want(this.#wanted.flatMap((rego) => this.#source(rego) ?? []));
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Undefined too of a policy that is only served: its rules are others, and compiled by whoever serves them. */
function regoOf(policy: RegoPolicyParts): RegoSpec | undefined {
  const { engine, rego, actions } = policy;
  if (engine !== "rego" || (actions !== undefined && isOnlyServed({ engine, actions }))) return undefined;
  return rego;
}

/** Policies that say the same share one bundle. */
function keyOf(bundle: BundleSpec): string {
  return createHash("sha256").update(JSON.stringify(bundle)).digest("hex");
}

/** Policies whose served rules come from a bundle: compiled when a bundle comes, before it is taken into use. */
import type { BundleSpec } from "@shieldx/crds";
import {
  type BundleState,
  type CurrentBundle,
  modulesOf,
  type RegoPolicies,
  type ServedBundleUse,
} from "@shieldx/policy-engine";
import {
  type ServedBundle,
  type ServeOutcome,
  servePolicy,
  withBundle,
} from "@shieldx/policy-engine/decisions";
import type { ShieldPolicyObject } from "../names.ts";

/** What came of one version of a policy with one bundle. */
interface Made {
  readonly uid: string | undefined;
  readonly generation: number | undefined;
  readonly current: CurrentBundle;
  readonly outcome: ServeOutcome;
}

export class ServedBundles {
  readonly #rego: Pick<RegoPolicies, "compiler" | "wantServed" | "bundle">;
  /** The newest of each policy that can be served, or else the newest, by its name. */
  readonly #made = new Map<string, Made>();

  constructor(rego: Pick<RegoPolicies, "compiler" | "wantServed" | "bundle">) {
    this.#rego = rego;
  }

  /** Has the bundles of these fetched, and of no others. */
  want(policies: readonly ShieldPolicyObject[]): void {
    const names = new Set(policies.map(({ metadata }) => metadata.name));
    for (const name of this.#made.keys()) if (!names.has(name)) this.#made.delete(name);
    const uses: ServedBundleUse[] = [];
    for (const policy of policies) {
      const { bundle } = policy.spec.rego ?? {};
      if (bundle === undefined) continue;
      uses.push({ bundle, makeReady: (next, current) => this.#makeReady(policy, next, current) });
    }
    this.#rego.wantServed(uses);
  }

  state(bundle: BundleSpec): BundleState {
    return this.#rego.bundle(bundle);
  }

  /** @throws CompilerUnavailableError, and what the compiler's cache throws */
  async serve(policy: ShieldPolicyObject, current: CurrentBundle): Promise<ServeOutcome> {
    const { name, uid, generation } = policy.metadata;
    const known = this.#made.get(name);
    const before = known?.uid === uid && known?.generation === generation ? known : undefined;
    if (before?.current.identity === current.identity) return before.outcome;
    const outcome = await this.#make(policy, current, before);
    // What only lacked time is made anew, and what does not do does not take the place of what does.
    if (outcome.ok || (outcome.problem.mayPass !== true && before?.outcome.ok !== true))
      this.#made.set(name, { uid, generation, current, outcome });
    return outcome;
  }

  async #make(
    { metadata: { name }, spec }: ShieldPolicyObject,
    { bundle }: CurrentBundle,
    before: Made | undefined,
  ): Promise<ServeOutcome> {
    const { manifest, modules, data } = bundle;
    const part: ServedBundle = { revision: manifest.revision, roots: manifest.roots.paths, data };
    // A delta changes data alone: what was compiled is the same.
    if (before?.outcome.ok === true && before.current.bundle.modules === modules)
      return withBundle(before.outcome.policy, part);
    const refuse = (message: string): ServeOutcome => ({ ok: false, problem: { policy: name, message } });
    if (modules.length === 0)
      return refuse(
        "the bundle has no modules: what is served over HTTP is compiled from these, also where the bundle has a plan",
      );
    const written = modulesOf(bundle, spec.rego?.version ?? "v1");
    if ("problem" in written) return refuse(written.problem);
    const { version: regoVersion, ...sources } = written;
    return servePolicy(this.#rego.compiler, { name, regoVersion, ...sources, bundle: part });
  }

  /** What is served by the bundle before must go on being so; what never was is no reason to stay with that one. */
  async #makeReady(
    policy: ShieldPolicyObject,
    next: CurrentBundle,
    current: CurrentBundle | undefined,
  ): Promise<void> {
    const worked = current !== undefined && (await this.serve(policy, current)).ok;
    const outcome = await this.serve(policy, next);
    if (outcome.ok) return;
    const { message, mayPass } = outcome.problem;
    if (mayPass === true || worked)
      throw new Error(`ShieldPolicy ${policy.metadata.name} could not be served: ${message}`);
  }
}

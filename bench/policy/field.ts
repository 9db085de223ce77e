/** Sets everybody up on one API server, and takes in more rules from size to size. */
import type { Cluster } from "../../e2e/cluster/index.ts";
import { startFloor } from "../admission/peers/floor.ts";
import { Gatekeeper, type GatekeeperProcess } from "../admission/peers/gatekeeper.ts";
import type { Lanes } from "../lib/load.ts";
import {
  admissionPolicyContestant,
  type Contestant,
  contestantNames,
  namespaceOf,
  withoutRules,
} from "./contestants.ts";
import { languages } from "./figures.ts";
import { admissionPolicies, oneAdmissionPolicy } from "./render/admission-policies.ts";
import { type GatekeeperForm, gatekeeperRules } from "./render/gatekeeper.ts";
import type { PolicyRule } from "./rules/rules.ts";
import type { PolicyBenchSettings } from "./settings.ts";
import { Shieldx } from "./shieldx.ts";

export class Field {
  readonly cluster: Cluster;
  readonly lanes: Lanes;
  readonly shieldx: Shieldx;
  readonly #floorPid: number;
  readonly #gatekeeper: { readonly form: GatekeeperForm; readonly installed: Gatekeeper } | undefined;
  readonly #peersUpTo: number;
  #serving: GatekeeperProcess | undefined;

  private constructor(parts: {
    readonly cluster: Cluster;
    readonly lanes: Lanes;
    readonly shieldx: Shieldx;
    readonly floorPid: number;
    readonly gatekeeper: { readonly form: GatekeeperForm; readonly installed: Gatekeeper } | undefined;
    readonly peersUpTo: number;
  }) {
    this.cluster = parts.cluster;
    this.lanes = parts.lanes;
    this.shieldx = parts.shieldx;
    this.#floorPid = parts.floorPid;
    this.#gatekeeper = parts.gatekeeper;
    this.#peersUpTo = parts.peersUpTo;
  }

  static async setUp(cluster: Cluster, lanes: Lanes, settings: PolicyBenchSettings): Promise<Field> {
    for (const name of contestantNames) {
      const namespace = namespaceOf(name);
      await cluster.kubectl(["create", "namespace", namespace]);
      await cluster.kubectl(["label", "namespace", namespace, `bench=${name}`]);
      await cluster.kubectl(["create", "serviceaccount", "default", "-n", namespace]);
    }
    const floor = await startFloor(cluster, "floor");
    const form = settings.gatekeeper;
    const gatekeeper =
      form === undefined ? undefined : { form, installed: await Gatekeeper.install(cluster) };
    await gatekeeper?.installed.register(["gatekeeper"]);
    const shieldx = await Shieldx.start(cluster, lanes);
    const { peersUpTo } = settings;
    return new Field({ cluster, lanes, shieldx, floorPid: floor.pid, gatekeeper, peersUpTo });
  }

  /** Everybody who takes part with these rules. Rules of a smaller size must have been those of this one, too. */
  async contestants(rules: readonly PolicyRule[]): Promise<Contestant[]> {
    const { cluster, lanes } = this;
    const arePeersPresent = rules.length <= this.#peersUpTo;
    const policies = { cluster, lanes, rules };
    const judges = arePeersPresent
      ? [
          admissionPolicyContestant({
            ...policies,
            name: "vap-one",
            rendered: oneAdmissionPolicy("vap-one", rules),
          }),
          admissionPolicyContestant({ ...policies, name: "vap", rendered: admissionPolicies("vap", rules) }),
          ...(await this.#gatekeeperWith(rules)),
        ]
      : [];
    const own = languages
      .filter((language) => language !== "native" || arePeersPresent)
      .map((language) => this.shieldx.contestant(language, rules));
    return [withoutRules("none"), withoutRules("floor", this.#floorPid), ...judges, ...own];
  }

  /** Processes that work on what was written before a turn begins. */
  busyPids(): number[] {
    const { apiServers } = this.cluster;
    return [...apiServers.map(({ pid }) => pid), this.#serving?.pid, ...this.shieldx.pids()].filter(
      (pid) => pid !== undefined,
    );
  }

  /** A new process with the rules it has; undefined without Gatekeeper. */
  async restartGatekeeper(): Promise<GatekeeperProcess | undefined> {
    await this.#serving?.stop();
    this.#serving = await this.#gatekeeper?.installed.start(["webhook"]);
    return this.#serving;
  }

  async stop(): Promise<void> {
    await this.#serving?.stop();
    await this.shieldx.stop();
  }

  /** Its rules stay: its webhook is called for its own namespace only. */
  async #gatekeeperWith(rules: readonly PolicyRule[]): Promise<Contestant[]> {
    if (this.#gatekeeper === undefined) return [];
    const { form, installed } = this.#gatekeeper;
    await this.#serving?.stop();
    this.#serving = undefined;
    // As published, the process that serves the webhook is not the one that makes the kinds of constraints.
    const generator = await installed.start(["audit", "generate", "status"], ["--audit-interval=0"]);
    await installed.applyRules(gatekeeperRules(form, rules, [namespaceOf("gatekeeper")]));
    await generator.stop();
    await this.restartGatekeeper();
    return [{ ...withoutRules("gatekeeper"), isJudge: true, webhookPid: () => this.#serving?.pid }];
  }
}

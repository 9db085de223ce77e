import type { Cluster } from "../../e2e/cluster/index.ts";
import type { ShieldxOnHost, ShieldxProcess } from "../../e2e/shieldx/host.ts";
import { waitFor } from "../../e2e/shieldx/wait.ts";
import { startShipped } from "../admission/shipped.ts";
import type { Lanes } from "../lib/load.ts";
import { applyList, type Contestant, namespaceOf, removeOwned, untilEnforced } from "./contestants.ts";
import { ownerLabel } from "./render/admission-policies.ts";
import { type ShieldLanguage, shieldPolicies } from "./render/shield-policies.ts";
import { changedPod } from "./rules/pod-change.ts";
import type { PolicyRule } from "./rules/rules.ts";

interface InForce {
  readonly language: ShieldLanguage;
  readonly count: number;
}

interface Conditions {
  readonly items: readonly {
    readonly metadata: { readonly generation?: number };
    readonly status?: {
      readonly observedGeneration?: number;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
  }[];
}

/**
 * ShieldX as it is shipped, with the policies of one language at a time: those of another would be judged in the same
 * process, or by the API server, at the cost of the one that is measured.
 */
export class Shieldx {
  readonly #cluster: Cluster;
  readonly #lanes: Lanes;
  readonly #host: ShieldxOnHost;
  #inForce: InForce | undefined;

  private constructor(cluster: Cluster, lanes: Lanes, host: ShieldxOnHost) {
    this.#cluster = cluster;
    this.#lanes = lanes;
    this.#host = host;
  }

  static async start(cluster: Cluster, lanes: Lanes): Promise<Shieldx> {
    return new Shieldx(cluster, lanes, await startShipped(cluster));
  }

  webhook(): ShieldxProcess {
    const last = this.#host.webhooks.at(-1);
    if (last === undefined) throw new Error("no webhook of ShieldX runs");
    return last;
  }

  /** Of the operator and the webhook. */
  pids(): number[] {
    return [...this.#host.operators.map(({ pid }) => pid), this.webhook().pid];
  }

  /** A new webhook process with the policies in force now; resolves when it is ready. */
  async restart(): Promise<ShieldxProcess> {
    await this.webhook().stop();
    return await this.#host.startWebhooks();
  }

  contestant(language: ShieldLanguage, rules: readonly PolicyRule[]): Contestant {
    const name = `shieldx-${language}` as const;
    return {
      name,
      isJudge: true,
      enter: () => this.#use(language, rules),
      // In the webhook they cost the others nothing: its calls are limited to namespaces, by the API server.
      leave: () => (language === "native" ? this.#removeAll() : Promise.resolve()),
      webhookPid: () => (language === "native" ? undefined : this.webhook().pid),
    };
  }

  /**
   * Resolves when a Pod that breaks the first, the middle and the last rule is refused each, asked once.
   * @throws Error naming the rule that a webhook which calls itself ready does not enforce
   */
  async mustBeWhole(language: ShieldLanguage, rules: readonly PolicyRule[]): Promise<void> {
    const chosen = [0, Math.floor(rules.length / 2), rules.length - 1].map((at) => rules[at]);
    await Promise.all(
      chosen.map(async (rule, lane) => {
        if (rule === undefined) return;
        const pod = JSON.stringify(changedPod("probe", rule.breaking));
        const { status, body } = await this.#lanes.create(lane, namespaceOf(`shieldx-${language}`), pod);
        if (status !== 403) {
          throw new Error(`ready, yet ${rule.name} is not enforced: ${status} ${body.slice(0, 300)}`);
        }
      }),
    );
  }

  async stop(): Promise<void> {
    await this.#host.stop();
  }

  async #use(language: ShieldLanguage, rules: readonly PolicyRule[]): Promise<void> {
    if (this.#inForce?.language === language && this.#inForce.count === rules.length) return;
    if (this.#inForce !== undefined && this.#inForce.language !== language) await this.#removeAll();
    const name = `shieldx-${language}` as const;
    this.#inForce = { language, count: rules.length };
    await applyList(this.#cluster, shieldPolicies(name, language, rules));
    await this.#untilReady(name, rules.length);
    await untilEnforced(this.#lanes, name, rules, true);
  }

  async #removeAll(): Promise<void> {
    if (this.#inForce === undefined) return;
    const { language } = this.#inForce;
    await removeOwned(this.#cluster, "shieldpolicies", `shieldx-${language}`);
    this.#inForce = undefined;
    await this.#untilWithdrawn(`shieldx-${language}`);
  }

  async #untilReady(of: string, count: number): Promise<void> {
    await waitFor(
      `${count} policies are ready`,
      async () => {
        const { stdout } = await this.#cluster.kubectl([
          ...["get", "shieldpolicies", "-l", `${ownerLabel}=${of}`, "-o", "json"],
        ]);
        const { items } = JSON.parse(stdout) as Conditions;
        const ready = items.filter(
          ({ metadata, status }) =>
            status?.observedGeneration === metadata.generation &&
            status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
        );
        return ready.length === count;
      },
      { timeoutMs: 600_000, everyMs: 250 },
    );
  }

  /** Nothing of them is in the API server's way any more. */
  async #untilWithdrawn(of: string): Promise<void> {
    await waitFor(
      `the policies of ${of} are withdrawn`,
      async () => {
        const pods = JSON.stringify(changedPod("probe", { labels: { probe: "withdrawn" } }));
        const { status } = await this.#lanes.create(0, "bench-none", pods);
        const rendered = await this.#cluster.kubectl([
          ...["get", "validatingadmissionpolicies", "-o", "name"],
          ...["-l", "app.kubernetes.io/managed-by=shieldx-operator"],
        ]);
        return status === 201 && rendered.stdout === "";
      },
      { timeoutMs: 600_000, everyMs: 250 },
    );
  }
}

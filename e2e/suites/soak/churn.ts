import { ApiError, type Client, type KubeObject, Pod, type ResourceType } from "@shieldx/controller-runtime";
import type { Cluster } from "../../cluster/index.ts";
import { type Manifest, restrictedPod, ShieldPolicy, untilCondition } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { readTrust, requestRotation } from "../certificates/webhook-trust.ts";
import type { Repeated } from "./repeating.ts";
import { churned, exceptionFor, rootPod, ShieldException, toggled } from "./soak-policies.ts";

const fieldManager = "soak-test";
/** So many Pods exist at a time. */
const kept = 10;
const exceptionLastsMs = 10_000;
const slowestMs = 60_000;

export interface ChurnCounts {
  created: number;
  deleted: number;
  toggles: number;
  rotations: number;
  exceptions: number;
}

/** Everything that changes during a soak. Each step ends when its effect is seen from outside, and throws when it is not. */
export class Churn {
  readonly counts: ChurnCounts = { created: 0, deleted: 0, toggles: 0, rotations: 0, exceptions: 0 };
  readonly #cluster: Cluster;
  readonly #client: Client;
  readonly #pods: string[] = [];

  constructor(cluster: Cluster, client: Client) {
    this.#cluster = cluster;
    this.#client = client;
  }

  get steps(): Repeated[] {
    return [
      { everyMs: 500, work: (index) => this.#changePods(index) },
      { everyMs: 5_000, work: (index) => this.#toggle(index) },
      { everyMs: 20_000, work: (index) => this.#rotate(index) },
      { everyMs: 20_000, work: (index) => this.#except(index) },
    ];
  }

  /** Those Pods that now exist and that the audit has to report. */
  get offenders(): string[] {
    return this.#pods.filter((name) => name.startsWith("root-"));
  }

  /** A new Pod, every other one an offender for the audit; the oldest goes. */
  async #changePods(index: number): Promise<void> {
    const namespace = churned;
    const name = `${index % 2 === 0 ? "root" : "restricted"}-${index}`;
    const pod = index % 2 === 0 ? rootPod(name, namespace) : restrictedPod(name, {}, namespace);
    await this.#client.create(Pod, pod as KubeObject, { retries: 0 });
    this.#pods.push(name);
    this.counts.created++;
    const oldest = this.#pods.length > kept ? this.#pods.shift() : undefined;
    if (oldest === undefined) return;
    await this.#client.delete(Pod, { name: oldest, namespace }, { gracePeriodSeconds: 0, retries: 0 });
    this.counts.deleted++;
  }

  async #toggle(index: number): Promise<void> {
    const action = index % 2 === 0 ? "deny" : "warn";
    for (const { name, policy, type, offender } of toggled) {
      await this.#client.apply(ShieldPolicy, policy(action) as KubeObject, { fieldManager, force: true });
      await waitFor(
        `${name} in force with ${action}`,
        async () => (await this.#isRefused(type, offender, name)) === (action === "deny"),
        { timeoutMs: slowestMs },
      );
      this.counts.toggles++;
    }
  }

  async #rotate(index: number): Promise<void> {
    const nonce = `soak-${index}`;
    await requestRotation(this.#client, nonce);
    await waitFor(
      `rotation ${index} complete`,
      async () => {
        const { phase, handled } = await readTrust(this.#client);
        return phase === "Stable" && handled === `ca:${nonce}`;
      },
      { timeoutMs: slowestMs, everyMs: 100 },
    );
    this.counts.rotations++;
  }

  async #except(index: number): Promise<void> {
    const name = `excepted-${index}`;
    const pod = restrictedPod(`${name}-pod`, { hostNetwork: true });
    const refused = () => this.#isRefused(Pod, pod, 'ShieldPolicy "soak-steady"');
    const exception = exceptionFor(name, exceptionLastsMs) as KubeObject;
    await this.#client.apply(ShieldException, exception, { fieldManager });
    await waitFor(`${name} in force`, async () => !(await refused()), { timeoutMs: exceptionLastsMs });
    await waitFor(`${name} over`, refused, { timeoutMs: slowestMs });
    await untilCondition(this.#cluster, ["shieldexception", name, "-n", "default"], "Expired", "True");
    await this.#client.delete(ShieldException, { name, namespace: "default" });
    this.counts.exceptions++;
  }

  /** Whether it is refused in these words. Another refusal by a policy counts as none; any other failure is thrown. */
  async #isRefused(type: ResourceType, object: Manifest, words: string): Promise<boolean> {
    try {
      await this.#client.create(type, object as KubeObject, { dryRun: true, retries: 0 });
      return false;
    } catch (error) {
      if (!(error instanceof ApiError) || !error.message.includes("soak-")) throw error;
      return error.message.includes(words);
    }
  }
}

import { Informer } from "../cache/informer.ts";
import type { Clock, TimerHandle } from "../clock/clock.ts";
import type { Logger } from "../kubernetes/logger.ts";
import { Lease } from "../kubernetes/resources.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../transport/api-error.ts";
import type { Client } from "../transport/client.ts";
import { type LeadershipGuard, LeadershipLostError } from "./guard.ts";
import {
  defaultLeaseTiming,
  type ElectionCommand,
  LeaseElection,
  type LeaseSpec,
  type LeaseTiming,
  type ObservedLease,
} from "./lease.ts";

export interface LeaderElectorOptions {
  /** Must not be guarded: renewing is how the guard is kept open. */
  readonly client: Client;
  /** Name and namespace of the Lease. */
  readonly name: string;
  readonly namespace: string;
  /** Unique among all candidates and all their restarts. */
  readonly identity: string;
  readonly timing?: Partial<LeaseTiming>;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly logger: Logger;
  /** Labels of a Lease that this candidate creates. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Takes part in one election: watches the Lease, executes what `LeaseElection` decides, and is the guard that
 * writers ask.
 */
export class LeaderElector implements LeadershipGuard {
  readonly identity: string;
  readonly #options: LeaderElectorOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #election: LeaseElection;
  readonly #ended = new AbortController();
  readonly #leading = Promise.withResolvers<void>();
  /** Last Lease object seen: what an update carries besides the spec. */
  #object: Lease | undefined;
  readonly #watchAbort = new AbortController();
  #wake: (() => void) | undefined;
  #releasing = false;
  /** Wall clock at the start of the last renewal that succeeded. */
  #renewedAtWall = Number.NEGATIVE_INFINITY;

  constructor(options: LeaderElectorOptions) {
    this.identity = options.identity;
    this.#options = options;
    this.#clock = options.clock;
    this.#logger = options.logger;
    const timing = { ...defaultLeaseTiming, ...options.timing };
    this.#election = new LeaseElection(options.identity, timing, options.random ?? Math.random);
    // Only `run` reports the end; whoever waits for leadership elsewhere must not become an unhandled rejection.
    this.#leading.promise.catch(() => undefined);
  }

  get isLeader(): boolean {
    return this.mayWrite();
  }

  /** Who holds the Lease as far as known; "" for nobody. */
  get holder(): string {
    return this.#election.holder;
  }

  /** Resolves when this candidate becomes the leader; rejects if the election ends before. */
  get elected(): Promise<void> {
    return this.#leading.promise;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * By the monotonic clock, and by the wall clock as well: the first stands still while a virtual machine is
   * suspended, the second when somebody sets it. Either is enough to stop.
   */
  mayWrite(): boolean {
    const sinceRenewalByWall = this.#clock.now() - this.#renewedAtWall;
    return (
      this.#election.mayWrite(this.#clock.monotonicNow()) &&
      sinceRenewalByWall < this.#election.timing.renewDeadlineMs
    );
  }

  /**
   * Stands for election until {@link release} (then resolves) or until leadership is lost.
   * @throws LeadershipLostError
   */
  async run(): Promise<void> {
    this.#watch();
    try {
      for (;;) {
        if (this.#releasing) {
          await this.#sendRelease();
          return;
        }
        const command = this.#election.next(this.#clock.monotonicNow(), this.#clock.now());
        if (command.kind === "stop") {
          throw new LeadershipLostError(`lost the Lease ${this.#leaseName()}: ${command.reason}`);
        }
        await this.#execute(command);
      }
    } finally {
      this.#watchAbort.abort();
      this.#end();
    }
  }

  /** Ends the candidacy: no write begins from here on, and the others are told. Await {@link run} afterwards. */
  release(): void {
    this.#releasing = true;
    this.#wake?.();
  }

  async #execute(command: Exclude<ElectionCommand, { kind: "stop" }>): Promise<void> {
    if (command.kind === "wait") {
      await this.#waitUntil(command.untilMs);
      return;
    }
    const startedAt = this.#clock.monotonicNow();
    const startedAtWall = this.#clock.now();
    try {
      if (command.kind === "read") {
        const lease = await this.#read();
        this.#election.wasRead(lease, this.#clock.monotonicNow());
        return;
      }
      const written =
        command.kind === "create"
          ? await this.#create(command.spec)
          : await this.#update(command.spec, command.over);
      this.#renewedAtWall = startedAtWall;
      this.#wasWritten(written, startedAt);
    } catch (error) {
      const now = this.#clock.monotonicNow();
      if (command.kind !== "read" && (isConflict(error) || isAlreadyExists(error) || isNotFound(error))) {
        this.#election.wasRefused(now);
        return;
      }
      this.#logger.warn(
        { err: error, lease: this.#leaseName() },
        `leader election: ${command.kind} failed, will retry`,
      );
      this.#election.hasFailed(now);
    }
  }

  #wasWritten(lease: ObservedLease, startedAt: number): void {
    const before = this.#election.role;
    this.#election.wasWritten(lease, startedAt, this.#clock.monotonicNow());
    const isElected: boolean = before === "standby" && this.#election.mayWrite(this.#clock.monotonicNow());
    if (!isElected) return;
    this.#logger.info({ lease: this.#leaseName(), identity: this.identity }, "became the leader");
    this.#leading.resolve();
  }

  async #waitUntil(untilMs: number): Promise<void> {
    let timer: TimerHandle | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = this.#clock.setTimeout(resolve, Math.max(0, untilMs - this.#clock.monotonicNow()));
    });
    this.#wake = undefined;
    this.#clock.clearTimeout(timer);
  }

  #watch(): void {
    const { client, name, namespace, clock, logger } = this.#options;
    const informer = new Informer<Lease>({
      client,
      type: Lease,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      clock,
      logger,
    });
    const seen = (lease: Lease): void => {
      this.#election.setWatching(true);
      this.#object = lease;
      this.#election.wasSeen(toObserved(lease), this.#clock.monotonicNow());
      this.#wake?.();
    };
    informer.on({
      added: seen,
      updated: (_old, lease) => seen(lease),
      deleted: (lease) => {
        this.#election.wasDeleted(lease.metadata.uid ?? "");
        this.#wake?.();
      },
    });
    const { signal } = this.#watchAbort;
    informer.start(signal).catch((error: unknown) => {
      if (signal.aborted) return;
      this.#election.setWatching(false);
      this.#logger.warn(
        { err: error, lease: this.#leaseName() },
        "watching the Lease failed, asking instead",
      );
      this.#wake?.();
    });
  }

  async #read(): Promise<ObservedLease | undefined> {
    const { client, name, namespace } = this.#options;
    const lease = await client.find(Lease, { name, namespace }, this.#callOptions());
    if (lease === undefined) return undefined;
    this.#object = lease;
    return toObserved(lease);
  }

  async #create(spec: LeaseSpec): Promise<ObservedLease> {
    const { client, name, namespace, labels } = this.#options;
    const metadata = { name, namespace, ...(labels === undefined ? {} : { labels: { ...labels } }) };
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    const created = await client.create(Lease, lease, this.#callOptions());
    this.#object = created;
    return toObserved(created);
  }

  async #update(spec: LeaseSpec, over: ObservedLease): Promise<ObservedLease> {
    const { client, name, namespace } = this.#options;
    const { labels, annotations, ownerReferences, finalizers } = this.#object?.metadata ?? {};
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name,
        namespace,
        uid: over.uid,
        resourceVersion: over.resourceVersion,
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
        ...(ownerReferences === undefined ? {} : { ownerReferences }),
        ...(finalizers === undefined ? {} : { finalizers }),
      },
      spec,
    };
    const updated = await client.replace(Lease, lease, this.#callOptions());
    this.#object = updated;
    return toObserved(updated);
  }

  async #sendRelease(): Promise<void> {
    const released = this.#election.release(this.#clock.now());
    this.#end();
    if (released === undefined) return;
    try {
      await this.#update(released.spec, released.over);
      this.#logger.info({ lease: this.#leaseName() }, "released the Lease");
    } catch (error) {
      const wait = `others wait ${this.#election.timing.leaseDurationMs} ms for it`;
      this.#logger.warn({ err: error, lease: this.#leaseName() }, `could not release the Lease; ${wait}`);
    }
  }

  #end(): void {
    const error = new LeadershipLostError(`leadership of ${this.#leaseName()} has ended`);
    this.#ended.abort(error);
    this.#leading.reject(error);
  }

  /** Half the deadline leaves room for one more try; a leader's request ends with its right to write. */
  #callOptions(): { timeoutMs: number; retries: number } {
    const half = Math.max(1_000, this.#election.timing.renewDeadlineMs / 2);
    const left = this.#election.mayWriteUntilMs - this.#clock.monotonicNow();
    return { timeoutMs: left > 0 ? Math.min(half, left) : half, retries: 0 };
  }

  #leaseName(): string {
    return `${this.#options.namespace}/${this.#options.name}`;
  }
}

function toObserved(lease: Lease): ObservedLease {
  const { resourceVersion = "", uid = "" } = lease.metadata;
  return { resourceVersion, uid, spec: lease.spec ?? {} };
}

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Registry } from "prom-client";
import PrometheusRegistry from "prom-client/lib/registry.js";
import type { Informer } from "../cache/informer.ts";
import { type Clock, realClock } from "../clock/clock.ts";
import { alwaysLeading, guardClient, type LeadershipGuard } from "../election/guard.ts";
import { LeaderElector } from "../election/leader-elector.ts";
import { EventBroadcaster } from "../events/recorder.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import type { ResourceType } from "../kubernetes/resource-type.ts";
import { ManagerMetrics } from "../metrics/manager-metrics.ts";
import type { ExtraHandler } from "../serving/extra-handler.ts";
import { HealthChecks, type ReadyCheck } from "../serving/health.ts";
import { ManagerServers } from "../serving/servers.ts";
import type { Client } from "../transport/client.ts";
import { buildController } from "./build-controller.ts";
import type { Controller } from "./controller.ts";
import type { ControllerDefinition } from "./definition.ts";
import { withinTime } from "./graceful.ts";
import type { LeaderElectionOptions, ManagerOptions, Runnable } from "./manager-options.ts";
import { RunnableGroup } from "./runnables.ts";
import { type SharedInformerOptions, SharedInformers } from "./shared-informers.ts";

const defaultCacheSyncTimeoutMs = 120_000;
const defaultGracefulShutdownTimeoutMs = 30_000;

/** Starts what an operator is made of, in the order that is safe, and ends it the same way. */
export interface Manager {
  /** Reads and writes without asking for leadership; controllers get a guarded one. */
  readonly client: Client;
  readonly isLeader: boolean;
  readonly leadershipGuard: LeadershipGuard;
  /** The shared cache of a type; starts with the manager. */
  informer<T extends KubeObject>(type: ResourceType<T>, options?: SharedInformerOptions<T>): Informer<T>;
  addController<T extends KubeObject>(definition: ControllerDefinition<T>): void;
  addRunnable(runnable: Runnable): void;
  /** `/readyz` fails while any check rejects. */
  addReadyCheck(name: string, check: ReadyCheck): void;
  /** `/healthz` fails while any check rejects: the kubelet then restarts the process. */
  addHealthCheck(name: string, check: ReadyCheck): void;
  /** Serves a further path beside `/metrics`, on every replica and from before the caches are filled. */
  addExtraHandler(path: string, handler: ExtraHandler): void;
  /**
   * Runs until the signal aborts, and resolves after an orderly end.
   * @throws LeadershipLostError, RunnableError, CacheSyncTimeoutError: the process should exit with non-zero
   */
  run(signal: AbortSignal): Promise<void>;
}

export function createManager(options: ManagerOptions): Manager {
  return new OperatorManager(options);
}

class OperatorManager implements Manager {
  readonly client: Client;
  readonly leadershipGuard: LeadershipGuard;
  readonly #options: ManagerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #registry: Registry;
  readonly #metrics: ManagerMetrics;
  readonly #informers: SharedInformers;
  readonly #elector: LeaderElector | undefined;
  readonly #guardedClient: Client;
  readonly #events: EventBroadcaster;
  readonly #checks: HealthChecks;
  readonly #extraHandlers = new Map<string, ExtraHandler>();
  readonly #controllers: { controller: Controller; needsLeadership: boolean }[] = [];
  readonly #everywhere: RunnableGroup;
  readonly #onLeader: RunnableGroup;
  readonly #failed = Promise.withResolvers<never>();
  #cacheSyncTimeoutMs: number;
  #isStarted = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.client = options.client;
    this.#clock = options.clock ?? realClock;
    this.#logger = options.logger;
    this.#registry = options.metrics ?? new PrometheusRegistry();
    this.#metrics = new ManagerMetrics(this.#registry);
    this.#cacheSyncTimeoutMs = options.cacheSyncTimeoutMs ?? defaultCacheSyncTimeoutMs;
    const { client } = options;
    this.#informers = new SharedInformers({
      client,
      clock: this.#clock,
      logger: this.#logger,
      metrics: this.#metrics.informers,
    });
    const identity = `${options.identity ?? hostname()}_${randomUUID()}`;
    this.#elector = this.#createElector(identity);
    this.leadershipGuard = this.#elector ?? alwaysLeading;
    this.#guardedClient = this.#elector === undefined ? client : guardClient(client, this.#elector);
    this.#events = new EventBroadcaster({
      client: this.#guardedClient,
      instance: identity,
      clock: this.#clock,
      logger: this.#logger,
    });
    this.#checks = new HealthChecks(this.#logger);
    this.#failed.promise.catch(() => undefined);
    const onError = (error: Error): void => this.#failed.reject(error);
    this.#everywhere = new RunnableGroup(this.#logger, onError);
    this.#onLeader = new RunnableGroup(this.#logger, onError);
    this.#metrics.leaderStatus(options.name, () => this.isLeader);
  }

  get isLeader(): boolean {
    return this.leadershipGuard.mayWrite();
  }

  informer<T extends KubeObject>(type: ResourceType<T>, options?: SharedInformerOptions<T>): Informer<T> {
    return this.#informers.of(type, options);
  }

  addController<T extends KubeObject>(definition: ControllerDefinition<T>): void {
    if (this.#isStarted)
      throw new Error(`controller "${definition.name}" must be added before the manager runs`);
    if (this.#controllers.some(({ controller }) => controller.name === definition.name)) {
      throw new Error(`there are two controllers named "${definition.name}"; metrics need distinct names`);
    }
    const needsLeadership = definition.needsLeadership ?? true;
    const controller = buildController(definition, {
      client: needsLeadership ? this.#guardedClient : this.client,
      guard: needsLeadership ? this.leadershipGuard : alwaysLeading,
      informers: this.#informers,
      events: this.#events.recorderFor(definition.name),
      metrics: this.#metrics,
      clock: this.#clock,
      logger: this.#logger,
      tracer: this.#options.tracer,
    });
    this.#controllers.push({ controller, needsLeadership });
    this.#cacheSyncTimeoutMs = Math.max(this.#cacheSyncTimeoutMs, definition.cacheSyncTimeoutMs ?? 0);
  }

  addRunnable(runnable: Runnable): void {
    (runnable.needsLeadership ? this.#onLeader : this.#everywhere).add(runnable);
  }

  addReadyCheck(name: string, check: ReadyCheck): void {
    this.#checks.addReady(name, check);
  }

  addHealthCheck(name: string, check: ReadyCheck): void {
    this.#checks.addLive(name, check);
  }

  addExtraHandler(path: string, handler: ExtraHandler): void {
    if (this.#isStarted) throw new Error(`what is served at ${path} must be added before the manager runs`);
    if (path === "/metrics" || this.#extraHandlers.has(path)) throw new Error(`${path} is served already`);
    this.#extraHandlers.set(path, handler);
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#isStarted) throw new Error("a manager runs once; create another");
    this.#isStarted = true;
    const caches = new AbortController();
    const servers = new ManagerServers(
      { ...this.#options, metrics: this.#registry, extraHandlers: this.#extraHandlers },
      this.#checks,
      this.#clock,
    );
    // Of the election: ends by release or by loss. Kept for the shutdown, which awaits it.
    let election: Promise<void> = Promise.resolve();
    const aborted = new Promise<"stop">((resolve) => {
      if (signal.aborted) resolve("stop");
      else signal.addEventListener("abort", () => resolve("stop"), { once: true });
    });
    let failure: unknown;
    try {
      const { metrics, metricsBindAddress } = this.#options;
      if (metrics !== undefined || metricsBindAddress !== undefined)
        await this.#metrics.collectProcessMetrics();
      await servers.start();
      this.#everywhere.start();
      this.#informers.start(caches.signal);
      const synced = this.#informers.synced(this.#cacheSyncTimeoutMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      await Promise.race([synced, this.#failed.promise]);
      if (!signal.aborted) {
        this.#checks.becomeReady();
        this.#startControllers(false);
        election = this.#stand();
        await Promise.race([aborted, election, this.#failed.promise]);
      }
    } catch (error) {
      failure = error;
    }
    this.#checks.stopBeingReady();
    await this.#shutDown(election, failure);
    caches.abort(failure ?? signal.reason);
    await this.#informers.stopped();
    await servers.stop();
    if (failure !== undefined) throw failure;
  }

  /** Leads when elected; rejects when leadership is lost. */
  async #stand(): Promise<void> {
    const elector = this.#elector;
    if (elector === undefined) {
      this.#lead();
      return new Promise(() => undefined);
    }
    const run = elector.run();
    await Promise.race([elector.elected.then(() => this.#lead()), run]);
    await run;
  }

  #lead(): void {
    this.#startControllers(true);
    this.#onLeader.start();
  }

  #startControllers(needsLeadership: boolean): void {
    for (const entry of this.#controllers) {
      if (entry.needsLeadership === needsLeadership) entry.controller.start();
    }
  }

  /** Ends the leader's work, then the leadership it needed; meanwhile whatever runs on every replica. */
  async #shutDown(election: Promise<void>, failure: unknown): Promise<void> {
    const reason = failure instanceof Error ? failure : new Error("the manager is shutting down");
    const timeoutMs = this.#options.gracefulShutdownTimeoutMs ?? defaultGracefulShutdownTimeoutMs;
    await Promise.all([
      this.#endLeadership(election, reason, timeoutMs),
      this.#endInTime("runnables", timeoutMs, this.#everywhere.stop(reason)),
    ]);
  }

  async #endLeadership(election: Promise<void>, reason: Error, timeoutMs: number): Promise<void> {
    const abortReconciles = (): void => {
      for (const { controller } of this.#controllers) controller.abort(reason);
    };
    // Reconciles of a lost leadership may not write any more: they are not worth waiting for.
    const isLost = this.leadershipGuard.signal.aborted;
    if (isLost) abortReconciles();
    const drained = this.#controllers.map(({ controller }) => controller.drain());
    const work = Promise.all([...drained, this.#onLeader.stop(reason)]);
    await this.#endInTime("reconciles and the leader's runnables", isLost ? 1_000 : timeoutMs, work);
    abortReconciles();
    await this.#endInTime("events", 2_000, this.#events.close());
    // Without election there is no Lease to give back, and nothing that would end.
    if (this.#elector === undefined) return;
    this.#elector.release();
    await this.#endInTime(
      "leadership",
      5_000,
      election.catch(() => undefined),
    );
  }

  async #endInTime(what: string, timeoutMs: number, work: Promise<unknown>): Promise<void> {
    if ((await withinTime(this.#clock, timeoutMs, work)) === "finished") return;
    const runnables = [...this.#onLeader.names, ...this.#everywhere.names];
    this.#logger.warn({ timeoutMs, runnables }, `${what} did not end in time; going on without`);
  }

  #createElector(identity: string): LeaderElector | undefined {
    const { leaderElection = true, name, namespace, client, random } = this.#options;
    if (leaderElection === false) return undefined;
    const own: LeaderElectionOptions = leaderElection === true ? {} : leaderElection;
    return new LeaderElector({
      client,
      name: own.leaseName ?? name,
      namespace: own.leaseNamespace ?? namespace,
      identity,
      ...(own.timing === undefined ? {} : { timing: own.timing }),
      clock: this.#clock,
      ...(random === undefined ? {} : { random }),
      logger: this.#logger,
    });
  }
}

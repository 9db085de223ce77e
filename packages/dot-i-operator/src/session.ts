import { setTimeout as delay } from "node:timers/promises";
import {
  type Client,
  type ClientAuth,
  type Credentials,
  createClient,
  Informer,
  isNotFound,
  type KubeObject,
  keyOf,
  type Logger,
  loadCredentials,
  type ResourceType,
  resourceType,
} from "@shieldx/controller-runtime";
import { type Change, EventQueue } from "./event-queue.ts";
import { type KubernetesObject, type OperatorLogger, ResourceEventType } from "./resource-event.ts";

/** How often it is looked whether a kind was installed meanwhile. */
const LOOK_AGAIN_MS = 1_000;

export interface WatchRequest {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace: string | undefined;
}

/** What lives from an operator's `start` to its `stop`: identity, connections, caches and the queue of events. */
export class Session {
  readonly client: Client;
  readonly server: string;
  readonly #credentials: Credentials;
  readonly #logger: OperatorLogger;
  readonly #stop = new AbortController();
  readonly #queue: EventQueue;
  readonly #handlers = new Map<string, (change: Change) => Promise<boolean>>();
  readonly #types = new Map<string, ResourceType>();
  #watches = 0;

  private constructor(credentials: Credentials, logger: OperatorLogger) {
    this.#credentials = credentials;
    this.#logger = logger;
    this.server = credentials.server;
    this.client = createClient({ credentials, logger: runtimeLogger(logger) });
    this.#queue = new EventQueue({
      deliver: async (key, change) => (await this.#handlers.get(watchOf(key))?.(change)) ?? true,
      onFailure: (key, { type }, error) =>
        logger.error(
          `the handler of ${type} ${key.slice(key.indexOf(" ") + 1)} failed, will retry: ${explain(error)}`,
        ),
    });
  }

  /** @throws CredentialsError when there is no identity to be found */
  static async open(logger: OperatorLogger): Promise<Session> {
    const session = new Session(await loadCredentials({ logger: runtimeLogger(logger) }), logger);
    session.#queue.run().catch((error: unknown) => logger.error(`event queue: ${explain(error)}`));
    return session;
  }

  /** Begins to watch, now or as soon as the kind exists. `deliver` answers whether the change is dealt with. */
  watch(id: string, request: WatchRequest, deliver: (change: Change) => Promise<boolean>): void {
    const watch = `${++this.#watches}`;
    this.#handlers.set(watch, deliver);
    this.#follow(watch, id, request).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#logger.error(`watch on resource ${id} ended: ${explain(error)}`);
    });
  }

  /** The type behind a watch's id; undefined until its kind has been found. */
  type(id: string): ResourceType | undefined {
    return this.#types.get(id);
  }

  /** What authenticates a request now. */
  async authentication(): Promise<ClientAuth> {
    return this.#credentials.current();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the operator was stopped"));
    await this.#queue.shutDown();
    await this.client.close();
  }

  async #follow(watch: string, id: string, request: WatchRequest): Promise<void> {
    const { signal } = this.#stop;
    const type = await this.#discover(id, request);
    this.#types.set(id, type);
    const informer = new Informer({
      client: this.client,
      type,
      namespace: request.namespace,
      logger: runtimeLogger(this.#logger),
    });
    const push = (changeType: ResourceEventType, object: KubeObject): void => {
      // A copy: what is cached is frozen, and handlers may change what they are given.
      const copy = structuredClone(object) as KubernetesObject;
      this.#queue.push(`${watch} ${keyOf(object)}`, { type: changeType, object: copy });
    };
    informer.on({
      added: (object) => push(ResourceEventType.Added, object),
      updated: (old, object) => {
        if (old.metadata.uid === object.metadata.uid) return push(ResourceEventType.Modified, object);
        push(ResourceEventType.Deleted, old);
        push(ResourceEventType.Added, object);
      },
      deleted: (object) => push(ResourceEventType.Deleted, object),
    });
    await informer.start(signal);
  }

  /** Asks the API server what kind this is, until it knows. */
  async #discover(id: string, { group, version, plural }: WatchRequest): Promise<ResourceType> {
    const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
    const { signal } = this.#stop;
    for (let attempt = 0; ; attempt++) {
      try {
        const { body } = await this.client.request("GET", path, { signal });
        const { resources = [] } = JSON.parse(body) as { resources?: ApiResource[] };
        const found = resources.find(({ name }) => name === plural);
        if (found !== undefined) {
          return resourceType({ group, version, plural, kind: found.kind, namespaced: found.namespaced });
        }
        if (attempt === 0) this.#logger.warn(`resource ${id} does not exist yet, waiting for it`);
      } catch (error) {
        signal.throwIfAborted();
        if (!isNotFound(error)) this.#logger.error(`resource ${id} cannot be looked up: ${explain(error)}`);
        else if (attempt === 0) this.#logger.warn(`resource ${id} does not exist yet, waiting for it`);
      }
      await delay(LOOK_AGAIN_MS, undefined, { signal });
    }
  }
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

function watchOf(key: string): string {
  return key.slice(0, key.indexOf(" "));
}

export function explain(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The runtime logs fields and a message, the original's interface takes one line. */
function runtimeLogger(logger: OperatorLogger): Logger {
  const line = (fields: object, message: string): string => {
    const told = Object.entries(fields).map(([name, value]) =>
      value instanceof Error ? `${name}=${value.message}` : `${name}=${JSON.stringify(value)}`,
    );
    return [message, ...told].join(" ");
  };
  return {
    debug: (fields, message) => logger.debug(line(fields, message)),
    info: (fields, message) => logger.info(line(fields, message)),
    warn: (fields, message) => logger.warn(line(fields, message)),
    error: (fields, message) => logger.error(line(fields, message)),
  };
}

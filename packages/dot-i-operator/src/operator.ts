import { readFile } from "node:fs/promises";
import { Agent } from "node:https";
import {
  ApiError,
  type Client,
  CustomResourceDefinition,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeObject,
  type ResourceType,
  TransportError,
} from "@shieldx/controller-runtime";
import { parse } from "yaml";
import { loadClientNode } from "./client-node.ts";
import type { Change } from "./event-queue.ts";
import {
  type KubernetesObject,
  type OperatorLogger,
  type ResourceEvent,
  ResourceEventType,
  type ResourceMeta,
  ResourceMetaImpl,
} from "./resource-event.ts";
import { explain, Session } from "./session.ts";

/** Times a finalizer is changed anew because somebody changed the object in between. */
const CONFLICT_RETRIES = 5;

/** What is known of one event while its handler works on it. */
interface Delivery {
  /** Something failed that may succeed later: the event comes again, even where the handler swallowed the error. */
  isUnsettled: boolean;
}

/**
 * The base class of `@dot-i/k8s-operator` 1.3.9, on this project's runtime: the same names and signatures. Different
 * where the original ends the process or loses events; see the README.
 */
export default abstract class Operator {
  protected logger: OperatorLogger;
  readonly #deliveries = new WeakMap<ResourceMeta, Delivery>();
  #session: Session | undefined;
  #kubeConfig: ReturnType<typeof makeKubeConfig> | undefined;
  #k8sApi: unknown;

  constructor(logger?: OperatorLogger) {
    this.logger = logger ?? silent;
  }

  /** Finds the identity, then calls `init`. @throws CredentialsError, and what `init` throws */
  async start(): Promise<void> {
    this.#session ??= await Session.open(this.logger);
    await this.init();
  }

  /** Ends the watches. The event being handled is handled to its end, no other begins. */
  stop(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.close().catch((error: unknown) => this.logger.error(`stop: ${explain(error)}`));
  }

  /** Call `watchResource` here. */
  protected abstract init(): Promise<void>;

  /** The runtime's client: what to move to from `k8sApi`. */
  protected get client(): Client {
    return this.#running().client;
  }

  /** A `KubeConfig` of the installed `@kubernetes/client-node`. @throws ClientNodeMissingError */
  // biome-ignore lint/suspicious/noExplicitAny: its type is that of whichever client-node the operator installs
  protected get kubeConfig(): any {
    this.#kubeConfig ??= makeKubeConfig();
    return this.#kubeConfig;
  }

  /** A `CoreV1Api` of the installed `@kubernetes/client-node`. @throws ClientNodeMissingError */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  protected get k8sApi(): any {
    this.#k8sApi ??= this.kubeConfig.makeApiClient(loadClientNode().CoreV1Api);
    return this.#k8sApi;
  }

  /** Creates the CRD of a YAML file unless it exists. */
  protected async registerCustomResourceDefinition(crdFile: string): Promise<{
    group: string;
    // biome-ignore lint/suspicious/noExplicitAny: versions of a CRD, as in the file
    versions: any[];
    plural: string;
  }> {
    const crd = parse(await readFile(crdFile, "utf8")) as CustomResourceDefinition;
    if (crd?.apiVersion?.startsWith("apiextensions.k8s.io/") !== true) {
      throw new Error(
        `${crdFile} holds no CustomResourceDefinition: its apiVersion is not apiextensions.k8s.io`,
      );
    }
    try {
      await this.client.create(CustomResourceDefinition, crd, { fieldValidation: "Warn" });
      this.logger.info(`registered custom resource definition '${crd.metadata.name}'`);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const { group, versions, names } = crd.spec;
    return { group, versions: [...versions], plural: names.plural };
  }

  protected getCustomResourceApiUri(
    group: string,
    version: string,
    plural: string,
    namespace?: string,
  ): string {
    const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
    const within = namespace ? `/namespaces/${namespace}` : "";
    return `${this.#running().server.replace(/\/+$/, "")}${root}${within}/${plural}`;
  }

  /**
   * Watches a resource. Resolves at once; where the kind does not exist yet, the watch begins when it does. Events
   * are handled one at a time, over all watches; one whose handler throws comes again.
   */
  protected async watchResource(
    group: string,
    version: string,
    plural: string,
    onEvent: (event: ResourceEvent) => Promise<void>,
    namespace?: string,
  ): Promise<void> {
    const id = `${plural}.${group ? `${group}/${version}` : version}`;
    const request = { group, version, plural, namespace: namespace || undefined };
    this.#running().watch(id, request, (change) => this.#deliver(plural, change, onEvent));
    this.logger.info(`watching resource ${id}`);
  }

  /** Replaces the status. null when that failed, which is logged. */
  protected async setResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta | null> {
    return this.#writeStatus(meta, status, (client, type, body) =>
      client.replace(type, body, { subresource: "status", fieldValidation: "Warn" }),
    );
  }

  /** Merges into the status (RFC 7386). null when that failed, which is logged. */
  protected async patchResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta | null> {
    return this.#writeStatus(meta, status, (client, type, body) =>
      client.patch(type, body.metadata, body, {
        type: "merge",
        subresource: "status",
        fieldValidation: "Warn",
      }),
    );
  }

  /**
   * Adds the finalizer to an object that lacks it; for one being deleted, runs `deleteAction` and, when that
   * succeeded, takes the finalizer away. True when the event needs nothing else.
   * @throws what `deleteAction` throws, and ApiError or TransportError when the finalizer could not be changed
   */
  protected async handleResourceFinalizer(
    event: ResourceEvent,
    finalizer: string,
    deleteAction: (event: ResourceEvent) => Promise<void>,
  ): Promise<boolean> {
    const { metadata } = event.object;
    if (metadata === undefined || event.type === ResourceEventType.Deleted) return false;
    const has = metadata.finalizers?.includes(finalizer) === true;
    const isBeingDeleted = metadata.deletionTimestamp !== undefined;
    if (has && !isBeingDeleted) return false;
    try {
      if (!isBeingDeleted) {
        await this.#changeFinalizers(event, (finalizers) => [...finalizers, finalizer]);
      } else if (has) {
        await deleteAction(event);
        await this.#changeFinalizers(event, (finalizers) => finalizers.filter((each) => each !== finalizer));
      }
    } catch (error) {
      this.#unsettle(event.meta);
      throw error;
    }
    return true;
  }

  /** Sets exactly these finalizers, whatever others added since. A failure is logged. */
  protected async setResourceFinalizers(meta: ResourceMeta, finalizers: string[]): Promise<void> {
    try {
      const patch = { metadata: { finalizers } };
      await this.client.patch(this.#typeOf(meta), meta, patch, { type: "merge" });
    } catch (error) {
      this.#logFailure(meta, error);
    }
  }

  /** Adds this operator's authentication to an axios request. */
  protected async applyAxiosKubeConfigAuth(request: {
    headers?: Record<string, string | number | boolean>;
    // biome-ignore lint/suspicious/noExplicitAny: the original's signature
    httpsAgent?: any;
    auth?: { username: string; password: string };
  }): Promise<void> {
    const { headers, agent } = await this.#authentication();
    if (headers.Authorization !== undefined) request.headers = { ...request.headers, ...headers };
    if (agent !== undefined) request.httpsAgent = agent;
  }

  /** Adds this operator's authentication to a gaxios request. */
  protected async applyGaxiosKubeConfigAuth(options: {
    // biome-ignore lint/suspicious/noExplicitAny: the original's signature
    headers?: Record<string, any>;
    // biome-ignore lint/suspicious/noExplicitAny: the original's signature
    agent?: any;
  }): Promise<void> {
    const { headers, agent } = await this.#authentication();
    if (headers.Authorization !== undefined) options.headers = { ...options.headers, ...headers };
    if (agent !== undefined) options.agent = agent;
  }

  async #authentication(): Promise<{ headers: { Authorization?: string }; agent: Agent | undefined }> {
    const { headers, tls } = await this.#running().authentication();
    const { ca, cert, key } = tls;
    const token = headers.authorization;
    const hasTls = ca !== undefined || cert !== undefined || key !== undefined;
    return {
      headers: token === undefined ? {} : { Authorization: token },
      agent: hasTls ? new Agent({ ca, cert, key }) : undefined,
    };
  }

  #running(): Session {
    if (this.#session === undefined) {
      throw new Error("the operator is not running: call start(), and watch from init() or later");
    }
    return this.#session;
  }

  async #deliver(
    plural: string,
    { type, object }: Change,
    onEvent: (event: ResourceEvent) => Promise<void>,
  ): Promise<boolean> {
    // Its own copy for every delivery: a handler that failed half way may have changed it.
    const copy = structuredClone(object);
    const event: ResourceEvent = {
      meta: ResourceMetaImpl.createWithPlural(plural, copy),
      type,
      object: copy,
    };
    const delivery: Delivery = { isUnsettled: false };
    this.#deliveries.set(event.meta, delivery);
    await onEvent(event);
    return !delivery.isUnsettled;
  }

  #unsettle(meta: ResourceMeta): void {
    const delivery = this.#deliveries.get(meta);
    if (delivery !== undefined) delivery.isUnsettled = true;
  }

  #typeOf(meta: ResourceMeta): ResourceType {
    const type = this.#running().type(meta.id);
    if (type === undefined)
      throw new Error(`nothing watches ${meta.id}: pass the meta of an event, unchanged`);
    return type;
  }

  async #writeStatus(
    meta: ResourceMeta,
    status: unknown,
    write: (client: Client, type: ResourceType, body: KubeObject) => Promise<KubeObject>,
  ): Promise<ResourceMeta | null> {
    const { name, namespace, resourceVersion, apiVersion, kind } = meta;
    const metadata = { name, resourceVersion, ...(namespace === undefined ? {} : { namespace }) };
    try {
      const written = await write(this.client, this.#typeOf(meta), { apiVersion, kind, metadata, status });
      const newer = ResourceMetaImpl.createWithId(meta.id, written as KubernetesObject);
      const delivery = this.#deliveries.get(meta);
      if (delivery !== undefined) this.#deliveries.set(newer, delivery);
      return newer;
    } catch (error) {
      this.#logFailure(meta, error);
      return null;
    }
  }

  /** Logged, as the original does; and the event comes again where that may help. */
  #logFailure(meta: ResourceMeta, error: unknown): void {
    this.logger.error(explain(error));
    // A conflict means that a newer state is on its way here already.
    const isPassing =
      error instanceof TransportError ||
      (error instanceof ApiError && (error.code === 429 || error.code >= 500));
    if (isPassing) this.#unsettle(meta);
  }

  /** From what the server holds now and only if it still does: what others add in between is kept. */
  async #changeFinalizers(event: ResourceEvent, change: (finalizers: string[]) => string[]): Promise<void> {
    const type = this.#typeOf(event.meta);
    for (let attempt = 0; ; attempt++) {
      const current = await this.client.find(type, event.meta);
      if (current === undefined || current.metadata.uid !== event.object.metadata?.uid) return;
      const before = current.metadata.finalizers ?? [];
      const finalizers = [...new Set(change([...before]))];
      if (finalizers.length === before.length) return;
      const { resourceVersion } = current.metadata;
      try {
        await this.client.patch(
          type,
          event.meta,
          { metadata: { finalizers, resourceVersion } },
          { type: "merge" },
        );
        return;
      } catch (error) {
        if (isNotFound(error)) return;
        if (!isConflict(error) || attempt >= CONFLICT_RETRIES) throw error;
      }
    }
  }
}

function makeKubeConfig() {
  const { KubeConfig } = loadClientNode();
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
}

const discard = (): void => undefined;
const silent: OperatorLogger = { debug: discard, info: discard, warn: discard, error: discard };

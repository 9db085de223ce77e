import {
  type Client,
  type Clock,
  isNotFound,
  type Logger,
  type ObjectReference,
  type ResourceType,
  resourceType,
  TokenBucket,
} from "@shieldx/controller-runtime";
import { controllerOf } from "./owner.ts";

/** Kinds that a controller of Kubernetes makes on behalf of another object. Whatever else owns a Pod is the top itself. */
const middle: readonly ResourceType[] = [
  resourceType({ group: "apps", version: "v1", kind: "ReplicaSet", plural: "replicasets", namespaced: true }),
  resourceType({ group: "batch", version: "v1", kind: "Job", plural: "jobs", namespaced: true }),
];

export interface TopmostControllersParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Answers remembered; an owner's owner does not change. The least recently asked go first. */
const remembered = 1_000;
/** Questions to the API server: reviews may be forged, and each could name another owner. */
const readsPerSecond = 10;
const readBurst = 50;
const readMs = 3_000;

/** Finds the controller above a controller: a ReplicaSet's Deployment, a Job's CronJob. Reads metadata only. */
export class TopmostControllers {
  readonly #parts: TopmostControllersParts;
  readonly #known = new Map<string, Promise<ObjectReference | undefined>>();
  readonly #reads: TokenBucket;

  constructor(parts: TopmostControllersParts) {
    this.#parts = parts;
    this.#reads = new TokenBucket(readsPerSecond, readBurst, parts.clock.monotonicNow());
  }

  /** @returns undefined where there is none, or where it cannot be found out now. Never rejects. */
  async of(controller: ObjectReference): Promise<ObjectReference | undefined> {
    const { apiVersion, kind, uid = "" } = controller;
    const type = middle.find((type) => type.kind === kind && `${type.group}/${type.version}` === apiVersion);
    if (type === undefined) return undefined;
    const known = this.#known.get(uid);
    if (known !== undefined) {
      this.#known.delete(uid);
      this.#known.set(uid, known);
      return known;
    }
    if (!this.#reads.tryTake(this.#parts.clock.monotonicNow())) return undefined;
    const reading = this.#read(type, controller);
    this.#known.set(uid, reading);
    const [oldest] = this.#known.keys();
    if (this.#known.size > remembered && oldest !== undefined) this.#known.delete(oldest);
    return reading;
  }

  async #read(type: ResourceType, controller: ObjectReference): Promise<ObjectReference | undefined> {
    const { namespace, name = "", uid = "" } = controller;
    const key = { name, ...(namespace === undefined ? {} : { namespace }) };
    try {
      const found = await this.#parts.client.get(type, key, {
        metadataOnly: true,
        timeoutMs: readMs,
        retries: 0,
      });
      // Another one of that name is not the owner, and the review may be forged.
      return found.metadata.uid === uid ? controllerOf(found, namespace) : undefined;
    } catch (error) {
      this.#known.delete(uid);
      if (!isNotFound(error))
        this.#parts.logger.debug({ err: error, kind: type.kind, ...key }, "an owner could not be looked up");
      return undefined;
    }
  }
}

import { isDeepStrictEqual } from "node:util";
import {
  type Applicable,
  type Client,
  isConflict,
  isNotFound,
  isReplaced,
  type KubeObject,
  keyOf,
  type ReconcileContext,
  type ResourceType,
} from "@shieldx/controller-runtime";
import type { OperatorContext } from "./context.ts";

export interface StatusOptions {
  readonly fieldManager: string;
  readonly fields: readonly string[];
  /** The write fails where anything of the object is not as the cache shows it; it is tried again soon. */
  readonly isConditional?: boolean;
}

/** Until the cache has caught up. */
const STALE_RETRY_MS = 200;

/**
 * Writes a status like {@link applyStatus}. Where the API server refuses it there is no condition to say so in: the
 * object gets an Event, and the write is tried again after the time returned.
 */
export async function keepStatus<T extends KubeObject>(
  operator: OperatorContext,
  context: ReconcileContext,
  type: ResourceType<T>,
  object: T,
  status: Readonly<Record<string, unknown>>,
  options: StatusOptions,
): Promise<number | undefined> {
  const subject = `status of ${type.kind} ${keyOf(object)}`;
  try {
    await applyStatus(context.client, type, object, status, options);
  } catch (error) {
    if (options.isConditional === true && isConflict(error)) return STALE_RETRY_MS;
    const before = operator.obstacles.get(subject);
    const { refusal, retryAfterMs } = operator.obstacles.failed(subject, error, operator.clock.now());
    if (refusal !== undefined && refusal.reason !== before?.reason) {
      const note = `the status above is not current: ${refusal.message}`.slice(0, 1000);
      context.events.event(object, { type: "Warning", reason: "StatusNotWritten", action: "Report", note });
    }
    return retryAfterMs;
  }
  operator.obstacles.clear(subject);
  return undefined;
}

/**
 * Writes `status` by server-side apply when it differs from what the cache shows, and makes no request otherwise.
 * `fields` names the parts this field manager owns: the others are left out of the comparison.
 * Returns whether a request was made.
 */
export async function applyStatus<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: T,
  status: Readonly<Record<string, unknown>>,
  options: StatusOptions,
): Promise<boolean> {
  const whole = plain(status);
  const current = (object.status ?? {}) as Record<string, unknown>;
  const own = Object.fromEntries(
    options.fields.filter((field) => current[field] !== undefined).map((field) => [field, current[field]]),
  );
  if (isDeepStrictEqual(plain(own), whole)) return false;
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const body = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(options.isConditional === true && resourceVersion !== undefined ? { resourceVersion } : {}),
    },
    status: whole,
  } as unknown as Applicable<T>;
  try {
    await client.apply(type, body, {
      fieldManager: options.fieldManager,
      force: true,
      subresource: "status",
    });
  } catch (error) {
    // Gone or another object of that name by now: there is nobody left to tell.
    if (isNotFound(error) || isReplaced(error)) return false;
    throw error;
  }
  return true;
}

/** As JSON has it, without halves of characters that were cut: for one of them the API server refuses all of a status. */
function plain(status: Readonly<Record<string, unknown>>): unknown {
  return JSON.parse(JSON.stringify(status), (_, value: unknown) =>
    typeof value === "string" ? value.toWellFormed() : value,
  );
}

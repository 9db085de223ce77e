import type { AuditEvent } from "../audit-log.test-kit.ts";
import { tokenAnnotation } from "./delivery.test-kit.ts";

export interface WrittenState {
  readonly uid: string;
  readonly token: string;
}

/** What the servers did to one object name, as their audit log has it. */
export interface ObjectHistory {
  /** States by resourceVersion. */
  readonly states: Map<number, WrittenState>;
  readonly deletedUids: Set<string>;
  /** A write was received whose answer is not in the log (the server was killed meanwhile): it may have taken effect. */
  hasUnansweredWrite: boolean;
}

/** The histories of all objects, by `namespace/name`. */
export class ServerHistory {
  readonly objects = new Map<string, ObjectHistory>();
  readonly #received = new Map<string, string>();
  readonly #open = new Set<string>();
  #answered = 0;

  take(event: AuditEvent): void {
    const { namespace, name } = event.objectRef ?? {};
    const created = event.responseObject?.metadata?.name;
    const key = `${namespace}/${name ?? created}`;
    if (event.stage === "RequestReceived") {
      // A create names its object only in its body, which is not there yet: it stands for all of its namespace.
      this.#received.set(event.auditID, name === undefined ? `${namespace}/` : key);
      return;
    }
    const code = event.responseStatus?.code ?? 0;
    if (event.stage !== "ResponseComplete" || code >= 500 || code === 0) return;
    this.#received.delete(event.auditID);
    if (code >= 300) return;
    this.#answered++;
    if (event.verb === "delete") this.#takeDeletion(key, event);
    else this.#takeState(key, event);
  }

  /** Call when the whole log has been taken. */
  close(): void {
    for (const where of this.#received.values()) this.#open.add(where);
    for (const [key, history] of this.objects) history.hasUnansweredWrite = this.#isOpen(key);
  }

  /** Writes that were answered with success. */
  get answered(): number {
    return this.#answered;
  }

  get unanswered(): number {
    return this.#received.size;
  }

  of(key: string): ObjectHistory {
    let history = this.objects.get(key);
    if (history === undefined) {
      history = { states: new Map(), deletedUids: new Set(), hasUnansweredWrite: this.#isOpen(key) };
      this.objects.set(key, history);
    }
    return history;
  }

  #isOpen(key: string): boolean {
    return this.#open.has(key) || this.#open.has(key.slice(0, key.indexOf("/") + 1));
  }

  #takeState(key: string, { responseObject }: AuditEvent): void {
    const { uid = "", resourceVersion, annotations = {} } = responseObject?.metadata ?? {};
    this.of(key).states.set(Number(resourceVersion), { uid, token: annotations[tokenAnnotation] ?? "" });
  }

  #takeDeletion(key: string, { responseObject }: AuditEvent): void {
    this.of(key).deletedUids.add(responseObject?.details?.uid ?? responseObject?.metadata?.uid ?? "");
  }
}

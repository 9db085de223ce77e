import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** What the tests read of an `audit.k8s.io/v1` Event. */
export interface AuditEvent {
  readonly auditID: string;
  readonly stage: "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic";
  readonly verb: string;
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestObject?: AuditedObject;
  readonly responseObject?: AuditedObject;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

/** A stored object, or the Status that answers a deletion. */
export interface AuditedObject {
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly details?: { readonly uid?: string };
}

/** The events of an audit log in the order they were written. A line that a killed server left unfinished is skipped. */
export async function* readAuditLog(path: string): AsyncIterable<AuditEvent> {
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const event = parsed(line);
    if (event !== undefined) yield event;
  }
}

function parsed(line: string): AuditEvent | undefined {
  try {
    return JSON.parse(line) as AuditEvent;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

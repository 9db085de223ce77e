import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FaultLane } from "./fault-lane.test-kit.ts";
import type { Fault } from "./fault-schedule.test-kit.ts";
import { expired } from "./refusals.test-kit.ts";
import { resetConnection } from "./reset.test-kit.ts";

export interface TamperingContext {
  isCalm(): boolean;
  compact(): Promise<void>;
}

const expiredEvent = `${JSON.stringify({ type: "ERROR", object: expired })}\n`;

/** Passes a watch on line by line and strikes it with the faults of its lane, until one of them ends it. */
export class WatchTampering {
  readonly #response: ServerResponse;
  readonly #lane: FaultLane;
  readonly #context: TamperingContext;
  /** Events passed since the fault that is due now became due. */
  #passed = 0;
  #isEnded = false;
  #slowLines = 0;

  constructor(response: ServerResponse, lane: FaultLane, context: TamperingContext) {
    this.#response = response;
    this.#lane = lane;
    this.#context = context;
  }

  async relay(upstream: IncomingMessage): Promise<void> {
    let held: Buffer = Buffer.alloc(0);
    for await (const chunk of upstream) {
      held = Buffer.concat([held, chunk as Buffer]);
      for (let end = held.indexOf(10); end !== -1; end = held.indexOf(10)) {
        const line = held.subarray(0, end + 1);
        held = held.subarray(end + 1);
        await this.#take(line);
        if (this.#isEnded) return;
      }
    }
    if (this.#lane.due.kind === "none") this.#lane.struck();
    this.#response.end();
  }

  async #take(line: Buffer): Promise<void> {
    const fault = this.#lane.due;
    if (this.#context.isCalm() || fault.kind === "none" || this.#passed++ < fault.afterEvents) {
      await this.#pass(line);
      return;
    }
    if (this.#lane.dueAt("watch body") === undefined) {
      // It strikes when a watch is opened, so this one ends in order first.
      this.#isEnded = true;
      this.#response.end();
      return;
    }
    this.#passed = 0;
    this.#lane.struck();
    await this.#strike(fault, line);
  }

  async #pass(line: Buffer): Promise<void> {
    if (this.#slowLines > 0) {
      this.#slowLines--;
      await writeSlowly(this.#response, line, 300);
    } else if (!this.#response.write(line)) {
      await Promise.race([once(this.#response, "drain"), once(this.#response, "close")]);
    }
  }

  async #strike(fault: Fault, line: Buffer): Promise<void> {
    if (fault.kind === "slow bytes") {
      this.#slowLines = 3;
      await this.#pass(line);
      return;
    }
    this.#isEnded = true;
    const part = line.subarray(0, Math.max(1, Math.floor((line.length - 1) * fault.cut)));
    const isFirstWay = fault.variant < 0.5;
    switch (fault.kind) {
      case "reset mid-line":
        this.#response.write(part, () => resetConnection(this.#response));
        break;
      case "truncated JSON":
        // Cut short and ended in order, or followed by what is whole again.
        if (isFirstWay) this.#response.end(part);
        else this.#response.end(Buffer.concat([part, newline, line]));
        break;
      case "half-open stall":
        // Nothing comes any more, and nothing says so.
        if (!isFirstWay) this.#response.write(part);
        await once(this.#response, "close");
        break;
      case "410 in stream":
        if (isFirstWay) this.#response.end(expiredEvent);
        else this.#response.write(expiredEvent);
        break;
      case "etcd compaction":
        this.#lane.hold = this.#context.compact();
        resetConnection(this.#response);
        break;
      default:
        throw new Error(`${fault.kind} does not strike an open watch`);
    }
  }
}

const newline = Buffer.from("\n");

/** Writes so that every chunk the client reads is a small piece of it. */
export async function writeSlowly(response: ServerResponse, bytes: Buffer, pieces: number): Promise<void> {
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length && !response.destroyed; at += size) {
    response.write(bytes.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { closedLoop, type LoadResult } from "../lib/load.ts";
import type { Endpoint } from "./lone-webhook.ts";

/** An answer of some hundred bytes is expected; a webhook that says more is not what is measured here. */
const longestAnswerBytes = 1024 * 1024;
const headEnd = Buffer.from("\r\n\r\n");

/**
 * Connections to a webhook, as an API server keeps them, with one review under way on each. Speaks just enough HTTP/1.1
 * for that by itself: a whole client takes longer for a review than some webhooks, and would be all that is measured.
 */
export class ReviewLanes implements AsyncDisposable {
  readonly #lanes: readonly Lane[];

  private constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes;
  }

  /** @throws what connecting does, as ECONNREFUSED */
  static async open(endpoint: Endpoint, count: number): Promise<ReviewLanes> {
    return new ReviewLanes(await Promise.all(Array.from({ length: count }, () => Lane.open(endpoint))));
  }

  /** Sends one review and resolves with the answer's body. @throws Error for anything but 200 */
  ask(lane: number, review: Buffer): Promise<string> {
    const chosen = this.#lanes[lane % this.#lanes.length];
    if (chosen === undefined) throw new RangeError("reviews need at least one lane");
    return chosen.ask(review);
  }

  /** As many reviews as get answered; the first answer that is not as expected, as of a Pod that is refused, ends it. */
  load(reviews: readonly Buffer[], durationMs: number, isExpected = isAllowed): Promise<LoadResult> {
    let next = 0;
    return closedLoop(this.#lanes.length, durationMs, async (lane) => {
      const review = reviews[next++ % reviews.length];
      if (review === undefined) throw new RangeError("there are no reviews to send");
      const answer = await this.ask(lane, review);
      if (!isExpected(answer)) throw new Error(`an answer is not as expected: ${answer.slice(0, 500)}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}

export function isAllowed(answer: string): boolean {
  return answer.includes('"allowed":true');
}

class Lane {
  readonly #socket: TLSSocket;
  readonly #head: string;
  #received: Buffer = Buffer.alloc(0);
  #asked: PromiseWithResolvers<string> | undefined;

  private constructor(socket: TLSSocket, { origin, path, token }: Endpoint) {
    this.#socket = socket;
    this.#head = `POST ${path}?timeout=10s HTTP/1.1\r\nhost: ${new URL(origin).host}\r\ncontent-type: application/json\r\naccept: application/json\r\n${token === undefined ? "" : `authorization: Bearer ${token}\r\n`}content-length: `;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the webhook closed the connection")));
  }

  static async open(endpoint: Endpoint): Promise<Lane> {
    const { hostname, port } = new URL(endpoint.origin);
    const socket = connect({ host: hostname, port: Number(port), ca: endpoint.caPem });
    socket.setNoDelay(true);
    await once(socket, "secureConnect");
    return new Lane(socket, endpoint);
  }

  ask(review: Buffer): Promise<string> {
    if (this.#asked !== undefined) throw new Error("a review is under way on this lane");
    this.#asked = Promise.withResolvers();
    const { promise } = this.#asked;
    this.#socket.write(Buffer.concat([Buffer.from(`${this.#head}${review.length}\r\n\r\n`), review]));
    return promise;
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, "close");
    this.#socket.destroy();
    await closed;
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(headEnd);
    if (end < 0) return;
    const head = this.#received.toString("latin1", 0, end);
    const bytes = Number(/^content-length: (\d{1,9})$/im.exec(head)?.[1] ?? Number.NaN);
    if (!(bytes <= longestAnswerBytes)) {
      this.#fail(new Error(`an answer of no or too great a length: ${head.slice(0, 300)}`));
      return;
    }
    const from = end + headEnd.length;
    if (this.#received.length < from + bytes) return;
    const body = this.#received.toString("utf8", from, from + bytes);
    this.#received = this.#received.subarray(from + bytes);
    const asked = this.#asked;
    this.#asked = undefined;
    if (head.startsWith("HTTP/1.1 200 ")) asked?.resolve(body);
    else asked?.reject(new Error(`the webhook answered ${head.split("\r\n", 1)[0]}: ${body.slice(0, 300)}`));
  }

  #fail(error: Error): void {
    this.#asked?.reject(error);
    this.#asked = undefined;
    this.#socket.destroy();
  }
}

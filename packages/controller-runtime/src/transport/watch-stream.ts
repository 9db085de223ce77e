import type { KubeObject, WatchEvent } from "../kubernetes/objects.ts";
import { type RequestDescription, TransportError } from "./api-error.ts";
import type { JsonReader } from "./client.ts";
import { LineSplitter, LineTooLongError } from "./line-splitter.ts";

/**
 * Reads a watch body: one JSON document a line. Yields the events each chunk completed.
 *
 * A stream that ends inside a line was cut: the unfinished event is dropped and `MalformedResponse` thrown, so
 * that the reader resumes after the last event it really got.
 * @throws TransportError `MalformedResponse`, `ResponseTooLarge`
 */
export async function* readWatchEvents<T extends KubeObject>(
  body: AsyncIterable<Buffer>,
  request: RequestDescription,
  maxLineBytes: number,
  parse?: JsonReader,
): AsyncIterable<WatchEvent<T>[]> {
  const splitter = new LineSplitter(maxLineBytes);
  for await (const chunk of body) {
    const lines = split(splitter, chunk, request);
    if (lines.length === 0) continue;
    const events: WatchEvent<T>[] = [];
    let broken: unknown;
    for (const line of lines) {
      try {
        events.push(parseWatchEvent<T>(line, request, parse));
      } catch (error) {
        broken = error;
        break;
      }
    }
    if (events.length > 0) yield events; // what came whole before a broken line counts
    if (broken !== undefined) throw broken;
  }
  if (splitter.heldBytes > 0) {
    const rest = splitter.takeRest();
    try {
      JSON.parse(rest);
    } catch (error) {
      throw new TransportError("MalformedResponse", request, "the watch was cut inside an event", error);
    }
    yield [parseWatchEvent<T>(rest, request, parse)];
  }
}

function split(splitter: LineSplitter, chunk: Buffer, request: RequestDescription): string[] {
  try {
    return splitter.push(chunk);
  } catch (error) {
    if (!(error instanceof LineTooLongError)) throw error;
    throw new TransportError("ResponseTooLarge", request, error.message, error);
  }
}

/** One line of a watch. @throws TransportError `MalformedResponse` when it is not an event. */
export function parseWatchEvent<T extends KubeObject>(
  line: string,
  request: RequestDescription,
  parse: JsonReader = JSON.parse,
): WatchEvent<T> {
  let event: unknown;
  try {
    event = parse(line);
  } catch (error) {
    throw new TransportError("MalformedResponse", request, "an event of the watch is not JSON", error);
  }
  if (!isWatchEvent(event)) {
    throw new TransportError("MalformedResponse", request, "a line of the watch is not a watch event");
  }
  return event as WatchEvent<T>;
}

function isWatchEvent(event: unknown): boolean {
  const { type, object } = (event ?? {}) as { type?: unknown; object?: unknown };
  if (typeof object !== "object" || object === null) return false;
  if (type === "ERROR") return true;
  const metadata = (object as { metadata?: unknown }).metadata;
  if (typeof metadata !== "object" || metadata === null) return false;
  const { name, resourceVersion } = metadata as { name?: unknown; resourceVersion?: unknown };
  if (typeof resourceVersion !== "string") return false;
  if (type === "BOOKMARK") return true;
  return (type === "ADDED" || type === "MODIFIED" || type === "DELETED") && typeof name === "string";
}

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WatchEvent } from "../kubernetes/objects.ts";
import { TransportError } from "./api-error.ts";
import { readWatchEvents } from "./watch-stream.ts";

const request = { verb: "watch", resource: "configmaps" };
const eventLine = (name: string, version: number): string =>
  `${JSON.stringify({ type: "ADDED", object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, resourceVersion: String(version) } } })}\n`;

async function* streamOf(chunks: readonly Buffer[]): AsyncIterable<Buffer> {
  yield* chunks;
}

async function read(
  chunks: readonly Buffer[],
  maxLineBytes = 1_000_000,
): Promise<{ names: string[]; error: unknown }> {
  const names: string[] = [];
  try {
    for await (const batch of readWatchEvents(streamOf(chunks), request, maxLineBytes)) {
      for (const event of batch as WatchEvent[])
        if (event.type === "ADDED") names.push(event.object.metadata.name);
    }
  } catch (error) {
    return { names, error };
  }
  return { names, error: undefined };
}

describe("readWatchEvents", () => {
  it("delivers every whole event before the byte where the stream was cut, and no part of the next", async () => {
    const lines = ["a", "b-ü€😀", "c"].map((name, index) => eventLine(name, index + 1));
    const bytes = Buffer.from(lines.join(""), "utf8");
    const ends = lines.map((_, index) => Buffer.byteLength(lines.slice(0, index + 1).join("")));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { names, error } = await read([bytes.subarray(0, cut)]);
      const whole = ends.filter((end) => end - 1 <= cut).length; // a last line without its newline is still whole
      expect(names).toHaveLength(whole);
      const isClean = cut === 0 || ends.includes(cut) || ends.includes(cut + 1);
      expect(error instanceof TransportError ? error.code : undefined).toBe(
        isClean ? undefined : "MalformedResponse",
      );
    }
  });

  it("throws a TransportError and nothing else on arbitrary bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 })), async (chunks) => {
        const { error } = await read(
          chunks.map((chunk) => Buffer.from(chunk)),
          500,
        );
        expect(error === undefined || error instanceof TransportError).toBe(true);
      }),
    );
    for (const text of [
      "null",
      "[]",
      "1",
      '{"type":"ADDED"}',
      '{"type":"ADDED","object":{"metadata":{}}}',
      '{"type":"X","object":{}}',
    ]) {
      const { error } = await read([Buffer.from(`${text}\n`)]);
      expect(error).toMatchObject({ code: "MalformedResponse" });
    }
  });

  it("delivers what came whole in a chunk before a broken line in it", async () => {
    const { names, error } = await read([
      Buffer.from(`${eventLine("a", 1)}{"type":"ADD\n${eventLine("b", 2)}`),
    ]);
    expect(names).toEqual(["a"]);
    expect(error).toMatchObject({ code: "MalformedResponse" });
  });

  it("refuses an event beyond the bound", async () => {
    const { error } = await read([Buffer.from(eventLine("a".repeat(300), 1))], 200);
    expect(error).toMatchObject({ code: "ResponseTooLarge" });
  });
});

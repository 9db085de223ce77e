import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ListParser } from "./list-parser.ts";

/** Feeds the bytes in chunks of the given sizes, over and over. */
function read(text: string, sizes: readonly number[], maxHeldBytes = 2 ** 20) {
  const bytes = Buffer.from(text);
  const parser = new ListParser<unknown>(maxHeldBytes);
  const batches: unknown[][] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    batches.push(parser.push(Buffer.from(bytes.subarray(at, at + size))));
    at += size;
  }
  const { items, envelope } = parser.end();
  return { items: [...batches.flat(), ...items], envelope: { ...envelope, items: [] }, batches };
}

const padding = "x".repeat(700);
const widget = (at: number): object => ({
  apiVersion: "v1",
  kind: "Widget",
  metadata: { name: `w${at}` },
  // Looks like the end of one item and the beginning of another, as content and as structure.
  spec: {
    text: `}],{"apiVersion":"v1"},{"apiVersion": ${padding}`,
    list: [{ apiVersion: "v1" }, { apiVersion: "v2" }],
  },
});
const list = (items: readonly object[]): string =>
  JSON.stringify({
    apiVersion: "v1",
    items,
    kind: "List",
    metadata: { resourceVersion: "7", continue: "a}]b" },
  });

describe("a list read while it arrives", () => {
  it("is the list, however it is cut into chunks", () => {
    const key = fc.constantFrom("apiVersion", "metadata", "items", "a");
    const item = fc.dictionary(key, fc.jsonValue({ maxDepth: 3 }), { minKeys: 1 });
    const around = fc.record({ kind: fc.string(), metadata: fc.record({ continue: fc.string() }) });
    const sizes = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 60 }),
        around,
        fc.boolean(),
        sizes,
        (items, rest, itemsFirst, cut) => {
          const text = JSON.stringify(itemsFirst ? { items, ...rest } : { ...rest, items });
          const whole = JSON.parse(text) as { items: unknown[] };
          const got = read(text, cut);
          expect(got.items).toEqual(whole.items);
          expect(got.envelope).toEqual({ ...whole, items: [] });
        },
      ),
    );
  });

  it("hands on items before the end, although some look like several", () => {
    const items = Array.from({ length: 300 }, (_, at) => widget(at));
    const got = read(list(items), [16_384]);
    expect(got.items).toEqual(items);
    expect(got.envelope).toMatchObject({
      kind: "List",
      metadata: { resourceVersion: "7", continue: "a}]b" },
    });
    expect(got.batches.filter((batch) => batch.length > 0).length).toBeGreaterThan(3);
  });

  it("holds no more than an item, whatever its structure looks like", () => {
    const owners = Array.from({ length: 400 }, (_, at) => ({
      apiVersion: "v1",
      kind: "Pod",
      name: `p${at}`,
    }));
    const items = Array.from({ length: 200 }, () => ({
      apiVersion: "v1",
      metadata: { owners, name: '"\\' },
    }));
    expect(read(list(items), [16_384], 100_000).items).toEqual(items);
  });

  it("may be empty, without items, or indented", () => {
    expect(read('{"items":[],"metadata":{}}', [3])).toMatchObject({ items: [], envelope: { metadata: {} } });
    expect(read('{"items":null,"metadata":{}}', [3]).items).toEqual([]);
    const items = [widget(1), widget(2)];
    expect(read(JSON.stringify({ items, metadata: {} }, undefined, 2), [5]).items).toEqual(items);
  });

  it("is refused when it was cut anywhere, or is longer than allowed without an end of an item", () => {
    const text = list([widget(1), widget(2), widget(3)]);
    for (let end = 1; end < text.length - 1; end += 7)
      expect(() => read(text.slice(0, end), [64])).toThrow(SyntaxError);
    expect(() => read(list([{ a: "x".repeat(5_000) }]), [100], 2_000)).toThrow(RangeError);
  });
});

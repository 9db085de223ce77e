import fc from "fast-check";
import { expect, it } from "vitest";
import { deepFreeze } from "./freeze.ts";
import { Sharing } from "./sharing.ts";

it("leaves every object equal to what it was", () => {
  const value = fc.jsonValue({ maxDepth: 4, stringUnit: fc.constantFrom("a", "b", "0", "é") });
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(fc.constantFrom("a", "b", "length", "0"), value), { maxLength: 12 }),
      (objects) => {
        const sharing = new Sharing();
        const texts = objects.map((object) => JSON.stringify(object));
        const shared = texts.map((text) => JSON.parse(text) as object);
        for (const object of shared) sharing.share(object);
        expect(shared).toEqual(texts.map((text) => JSON.parse(text)));
      },
    ),
  );
});

it("makes equal parts one part, and only equal ones", () => {
  const objects = [
    { spec: { ports: [{ port: 80 }], args: ["a"] } },
    { spec: { ports: [{ port: 80 }], args: ["a", "b"] } },
    { spec: { ports: [{ port: 80 }], args: {} } },
  ];
  const sharing = new Sharing();
  for (const object of objects) sharing.share(object);
  expect(objects[1]?.spec.ports).toBe(objects[0]?.spec.ports);
  expect(objects[2]?.spec.ports).toBe(objects[0]?.spec.ports);
  expect(objects[1]?.spec.args).toEqual(["a", "b"]);
  expect(objects[2]?.spec.args).toEqual({});
});

it("takes no part of Object.prototype for content", () => {
  const sharing = new Sharing();
  sharing.share({});
  const object = JSON.parse('{"__proto__": {}}') as object;
  sharing.share(object);
  expect(Object.getOwnPropertyDescriptor(object, "__proto__")?.value).not.toBe(Object.prototype);
});

it("remembers no more strings than two generations", () => {
  const sharing = new Sharing();
  const distinct = Array.from({ length: 20_000 }, (_, at) => ({
    text: `a text that is met once only ${at}`,
  }));
  for (const object of distinct) sharing.share(object);
  const held = JSON.stringify(distinct);
  for (const object of distinct) sharing.share(object);
  expect(JSON.stringify(distinct)).toBe(held);
});

it("takes an object as deep as an API server does, and so does freezing", () => {
  const text = `${'{"a":'.repeat(10_000)}[]${"}".repeat(10_000)}`;
  const sharing = new Sharing();
  const [one, other] = [JSON.parse(text), JSON.parse(text)];
  sharing.share(one);
  sharing.share(other);
  let depth = 0;
  for (let at = deepFreeze(one); at !== undefined; at = at.a) {
    expect(Object.isFrozen(at)).toBe(true);
    depth++;
  }
  expect(depth).toBe(10_001);
});

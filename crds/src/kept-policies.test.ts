import fc from "fast-check";
import { expect, it } from "vitest";
import { formatKeptPolicies, parseKeptPolicies } from "./kept-policies.ts";

it("is read as it was written, and anything else as nothing", () => {
  const entry = fc.record(
    {
      name: fc.string(),
      uid: fc.string(),
      generation: fc.nat(),
      failurePolicy: fc.constantFrom("Fail", "Ignore"),
    },
    { requiredKeys: ["name", "uid", "generation"] },
  );
  fc.assert(
    fc.property(fc.array(entry), (kept) => {
      expect(parseKeptPolicies(formatKeptPolicies(kept as never))).toEqual(kept);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(Array.isArray(parseKeptPolicies(text))).toBe(true);
    }),
  );
  for (const text of [undefined, "", "{", "null", '{"name":"a"}', '[{"name":1}]'])
    expect(parseKeptPolicies(text)).toEqual([]);
});

it("fits into the annotations of one object", () => {
  const kept = Array.from({ length: 5_000 }, () => ({
    name: "n".repeat(253),
    uid: "u".repeat(36),
    generation: 1_000_000,
    failurePolicy: "Ignore" as const,
  }));
  expect(formatKeptPolicies(kept)?.length).toBeLessThan(128 * 1024);
});

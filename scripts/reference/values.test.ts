import { describe, expect, it } from "vitest";
import { helmsOwn, readChartValues, schemaAt, schemaPaths, valuesPage } from "./values.ts";

describe.each(["shieldx", "shieldx-policies"])("values of the chart %s", (chart) => {
  const { values, schema } = readChartValues(chart);

  it("say in a comment what they do, every one", () => {
    expect(values.length).toBeGreaterThan(10);
    expect(values.filter(({ text }) => text === "").map(({ path }) => path)).toEqual([]);
  });

  it("are known to the schema, every one", () => {
    expect(values.filter(({ path }) => schemaAt(schema, path) === undefined)).toEqual([]);
  });

  it("are all that the schema knows", () => {
    const isDocumented = (path: string): boolean =>
      values.some((value) => path === value.path || path.startsWith(`${value.path}.`));
    const unknown = schemaPaths(schema).filter((path) => !isDocumented(path));
    expect(unknown.sort()).toEqual([...helmsOwn].sort());
  });

  it("are strict: no group takes a key that is not written here", () => {
    const groups = new Set(
      values.flatMap(({ path }) => path.split(".").map((_, i, parts) => parts.slice(0, i).join("."))),
    );
    for (const group of groups) {
      const found = group === "" ? schema : schemaAt(schema, group);
      expect([group, found?.additionalProperties]).toEqual([group, false]);
    }
  });
});

describe("the page of values", () => {
  it("keeps a comment about the file out of the first value", () => {
    expect(valuesPage()).toContain('| `namePrefix` | string | `""` | Put before the name of each policy');
  });
});

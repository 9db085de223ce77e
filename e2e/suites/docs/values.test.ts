// Values that the guides name are values that the charts have.
import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";

const root = new URL("../../../", import.meta.url).pathname;
const charts = ["shieldx", "shieldx-policies"].map((chart) =>
  readFileSync(`${root}charts/${chart}/values.yaml`, "utf8"),
);
const values: unknown[] = charts.map((text) => parse(text));
const roots = new Set(values.flatMap((value) => Object.keys(value as object)));
// Policies have fields of their own under these names.
for (const ambiguous of ["namespace", "exceptions"]) roots.delete(ambiguous);

function has(value: unknown, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, name) && has((value as Record<string, unknown>)[name], rest);
}

it("name no value that there is not", () => {
  const named = globSync("docs/{guides,runbooks}/*.md", { cwd: root }).flatMap((file) =>
    [...readFileSync(`${root}${file}`, "utf8").matchAll(/(?:`|--set )([a-z]\w*(?:\.\w+)+)(?=[`= ])/gi)]
      .map(([, path = ""]) => ({ file, path }))
      // Names of files look alike.
      .filter(({ path }) => roots.has(path.split(".")[0] ?? "") && !/\.(json|sig)$/.test(path)),
  );
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter(({ path }) => !values.some((value) => has(value, path.split("."))))).toEqual([]);
});

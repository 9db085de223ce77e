import { expect, it } from "vitest";
import { withoutClashes } from "./clashes.ts";
import type { ServedPolicy } from "./documents.ts";

const served = (
  name: string,
  packages: readonly string[],
  roots?: readonly string[],
  rules: readonly string[] = [],
): ServedPolicy => {
  const parts = (path: string) => (path === "" ? [] : path.split("/"));
  return {
    name,
    digest: name,
    revision: name,
    documents: rules.map((path) => ({ path: parts(path), entrypoint: path, isRule: true })),
    packages: packages.map(parts),
    rego: { entrypoints: [], evaluate: () => [] },
    ...(roots === undefined ? {} : { roots: roots.map(parts) }),
  };
};
const outcome = (...policies: ServedPolicy[]) => {
  const { served: kept, problems } = withoutClashes(policies);
  return [
    kept.map(({ name }) => name).join(),
    ...problems.map(({ policy, message }) => `${policy}: ${message}`),
  ];
};

it("the later of two policies with one package is not served", () => {
  expect(outcome(served("a", ["p"]), served("b", ["p"]), served("c", ["p/q"]))).toEqual([
    "a,c",
    "b: package p is served by ShieldPolicy a already: give one of them another package",
  ]);
});

it("a package lies in no rule of another policy, whichever came first", () => {
  const [above, below] = [served("a", ["app"], undefined, ["app/authz"]), served("b", ["app/authz"])];
  expect(outcome(above, below)).toEqual([
    "a",
    "b: data.app.authz lies in a rule of ShieldPolicy a: give one of them another package",
  ]);
  expect(outcome(below, above)).toEqual([
    "b",
    "a: its rule data.app.authz would hide what ShieldPolicy b serves there: give one of them another package",
  ]);
  expect(outcome(above, served("c", ["app/authz/more"]))[0]).toBe("a");
  expect(outcome(above, served("d", ["app/other"], undefined, ["app/other/x"]))).toEqual(["a,d"]);
});

it("a root of a bundle is a bundle's alone", () => {
  const bundle = served("a", ["shop/orders"], ["shop", "owners/shop"]);
  const remedy = 'name the places of their own as "roots" in the manifest of each bundle';
  expect(
    outcome(bundle, served("b", ["shopping"]), served("c", ["owners"]), served("d", ["x"], ["owners/x"])),
  ).toEqual(["a,b,c,d"]);
  expect(outcome(bundle, served("b", ["shop/orders/more"]))).toEqual([
    "a",
    `b: data.shop.orders.more belongs to the bundle of ShieldPolicy a: ${remedy}`,
  ]);
  expect(outcome(bundle, served("b", [], ["owners/shop"]))).toEqual([
    "a",
    `b: data.owners.shop belongs to the bundle of ShieldPolicy a: ${remedy}`,
  ]);
  expect(outcome(bundle, served("b", [], ["owners"]))).toEqual([
    "a",
    `b: its bundle owns data.owners, where ShieldPolicy a is served already: ${remedy}`,
  ]);
  expect(outcome(served("a", ["shop/orders"]), served("b", [], ["shop"]))).toEqual([
    "a",
    `b: its bundle owns data.shop, where ShieldPolicy a is served already: ${remedy}`,
  ]);
});

it("a bundle without roots owns all of data", () => {
  const whole = served("whole", ["shop"], [""]);
  expect(outcome(whole, served("b", ["x"]))[1]).toMatch(
    /^b: data\.x belongs to the bundle of ShieldPolicy whole: /,
  );
  expect(outcome(served("b", ["x"]), whole)[1]).toMatch(
    /^whole: its bundle owns all of data, where ShieldPolicy b is/,
  );
  expect(outcome(whole)).toEqual(["whole"]);
});

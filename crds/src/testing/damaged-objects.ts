/** Objects near the border between right and wrong: samples with a few random changes. */
import fc from "fast-check";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Values that break, or just keep, some bound. */
const values: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    2,
    "",
    " ",
    "x",
    "a".repeat(64),
    "a".repeat(254),
    "ü".repeat(63),
    "😀".repeat(200),
    "a\nb",
    "*",
    "web-*",
    "Fail",
    "Ignore",
    "deny",
    "off",
    "audit",
    "Native",
    "Webhook",
    "cel",
    "rego",
    "images",
    "podSecurity",
    "baseline",
    "latest",
    "v1.34",
    "v1.034",
    "1h",
    "0s",
    "30s",
    "8784h",
    "8785h",
    "1h30m",
    "h",
    "9s",
    "10s",
    "2026-12-31T00:00:00Z",
    "2026-12-31T00:00:00.123+02:00",
    "2026-12-31T00:00Z",
    "2026-12-31t00:00:00z",
    "1969-12-31T23:59:59Z",
    "2026-12-31T24:00:00Z",
    "2026-12-31T00:00:00+24:00",
    "2026-02-29T00:00:00Z",
    "2026-12-31",
    [],
    {},
    ["a"],
    ["a", "a"],
    ["A", "b"],
    [null],
    [{}],
    { a: "b" },
    { "a b": "c" },
    { "example.com/a": "b", __c: "d" },
    { a: null },
    { matchLabels: {} },
    { name: "a", expression: "true" },
    [{ name: "a", expression: "true" }],
    [
      { name: "a", expression: "true" },
      { name: "a", expression: "1" },
    ],
    [{ key: "a", operator: "Exists", values: [] }],
    [{ key: "a", operator: "NotIn", values: ["b"] }],
    ["pods", "services"],
    ["CREATE", "DELETE"],
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ maxLength: 12, unit: "binary" }).filter((text) => text.isWellFormed()),
);

interface Change {
  at: number;
  how: "set" | "remove" | "double" | "add" | "graft";
  value: Json;
  name: string;
}

const names = fc.constantFrom(
  "podSecurity",
  "verifyImages",
  "keys",
  "identities",
  "registries",
  "pullSecretRef",
  "validations",
  "variables",
  "matchConditions",
  "matchConstraints",
  "resourceRules",
  "namespaceSelector",
  "objectSelector",
  "matchLabels",
  "paramKind",
  "paramRef",
  "selector",
  "evaluation",
  "failurePolicy",
  "exceptions",
  "maxDuration",
  "background",
  "http",
  "checks",
  "names",
  "kinds",
  "rollout",
  "tests",
  "exemptions",
  "objects",
  "targets",
  "ttl",
  "ttlFromAnnotation",
  "since",
  "every",
  "version",
  "scope",
  "values",
  "unknown",
  "toString",
  "__proto__",
);

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom("set", "remove", "double", "add", "graft"),
  value: values,
  name: names,
});

type Place = { holder: { [key: string]: Json } | Json[]; key: string | number; value: Json };

function places(value: Json, into: Place[] = []): Place[] {
  if (Array.isArray(value)) {
    value.forEach((child, index) => {
      into.push({ holder: value, key: index, value: child });
      places(child, into);
    });
  } else if (typeof value === "object" && value !== null) {
    for (const [key, child] of Object.entries(value)) {
      // A template is the API server's to check once it is written; of its empty members the parser keeps none.
      if (isTemplate(key, child)) continue;
      into.push({ holder: value, key, value: child });
      places(child, into);
    }
  }
  return into;
}

function isTemplate(key: string, value: Json): boolean {
  return key === "object" && typeof value === "object" && value !== null && "apiVersion" in value;
}

function put(holder: { [key: string]: Json } | Json[], key: string | number, value: Json): void {
  // A copy, because the next change may alter it; defineProperty, so that "__proto__" is a field as in JSON.parse.
  Object.defineProperty(holder, key, {
    value: structuredClone(value),
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function apply(spec: Json, { at, how, value, name }: Change, donors: readonly Json[]): void {
  const all = places(spec);
  const place = all[at % all.length];
  if (place === undefined) return;
  switch (how) {
    case "set":
      put(place.holder, place.key, value);
      return;
    case "remove":
      if (Array.isArray(place.holder)) place.holder.splice(Number(place.key), 1);
      else delete place.holder[place.key];
      return;
    case "double":
      if (Array.isArray(place.value)) place.value.push(...structuredClone(place.value));
      return;
    case "add":
      if (typeof place.value === "object" && place.value !== null && !Array.isArray(place.value))
        put(place.value, name, value);
      else if (!Array.isArray(place.holder)) put(place.holder, name, value);
      return;
    case "graft": {
      const donated = donors.flatMap((donor) => places(donor)).filter((other) => other.key === name);
      const graft = donated[at % Math.max(1, donated.length)];
      if (graft !== undefined && typeof spec === "object" && spec !== null && !Array.isArray(spec)) {
        put(spec, name, graft.value);
      }
      return;
    }
  }
}

/** One of `objects` with up to four random changes in its spec. */
export function damagedObjects<T extends { spec: unknown }>(objects: readonly T[]): fc.Arbitrary<T> {
  const donors = objects.map((object) => object.spec as Json);
  return fc
    .tuple(fc.nat({ max: objects.length - 1 }), fc.array(change, { maxLength: 4 }))
    .map(([index, changes]) => {
      const object = structuredClone(objects[index] as T);
      for (const one of changes) apply(object.spec as Json, one, donors);
      return object;
    });
}

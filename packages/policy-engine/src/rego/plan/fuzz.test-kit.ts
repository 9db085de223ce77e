/** Plans spoilt by lot: each is refused, or runs to a result or a clear error. */
import type { FuzzTarget } from "../../../testing/fuzz.ts";
import { Random } from "../../../testing/random.ts";
import type { Builtin } from "../builtins/contract.ts";
import { EvaluationError } from "../builtins/contract.ts";
import { evaluateBothWays } from "../generate/both-ways.test-kit.ts";
import { everyStatement, type Json } from "../plan.test-kit.ts";
import type { RegoValue } from "../values.ts";
import { loadPlan, PlanError } from "./index.ts";

/** Places in a plan, each as the container and the key of a value. */
function places(value: Json, found: [Json[] | { [key: string]: Json }, string][] = []) {
  if (typeof value !== "object" || value === null) return found;
  for (const [key, item] of Object.entries(value)) {
    found.push([value, key]);
    places(item, found);
  }
  return found;
}

const strange: readonly Json[] = [
  ...[null, true, false, 0, 1, 2, 3, 7, -1, 1.5, 4e9, 1e300, "", "x", "__proto__", "constructor", "plus"],
  ...["g0.data.test.names", "local", "string_index", "bool", "ScanStmt", "ArrayAppendStmt", "WithStmt"],
];

function mutate(plan: Json, random: Random): void {
  const all = places(plan);
  const [container, key] = random.pick(all);
  const holder = container as Record<string, Json>;
  const [otherContainer, otherKey] = random.pick(all);
  const other = structuredClone((otherContainer as Record<string, Json>)[otherKey]!);
  switch (random.below(5)) {
    case 0:
      holder[key] = structuredClone(random.pick(strange));
      return;
    case 1:
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else delete holder[key];
      return;
    case 2:
      if (typeof holder[key] === "number") holder[key] = random.below(16);
      return;
    case 3:
      if (Array.isArray(container)) container.splice(Number(key), 0, other);
      return;
    default:
      holder[key] = other;
  }
}

function deepFreeze(value: RegoValue): RegoValue {
  if (typeof value === "object" && value !== null) for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value) as RegoValue;
}

const input = deepFreeze({ users: [{ name: "ann" }, { name: "root" }], list: [[1], [2, [3]]] });
const data = deepFreeze({ base: { list: [1] } }) as Record<string, RegoValue>;
const builtins = new Map<string, Builtin>([["plus", { name: "plus", arity: 2, call: ([a]) => a }]]);

/** Loaded, compiled and asked, as closures and as code; nothing of what it is given changes, as that is frozen. */
export const planTarget: FuzzTarget = {
  name: "Rego plan",
  run(seed) {
    const random = new Random(seed);
    const plan: Json = everyStatement();
    for (let times = 1 + random.below(4); times > 0; times--) mutate(plan, random);
    return outcomeOf(plan);
  },
};

function outcomeOf(plan: Json): "refused" | "failed" | "answered" {
  try {
    const loaded = loadPlan(plan);
    for (const { name: entrypoint } of loaded.plans)
      evaluateBothWays(loaded, builtins, {
        entrypoint,
        question: { input, data, context: { nowNs: 0n, costLimit: 50_000 } },
      });
    return "answered";
  } catch (error) {
    if (error instanceof PlanError) return "refused";
    // Absurd numbers, and built-ins that are not there, are found while compiling.
    if (error instanceof RangeError || (error instanceof Error && error.name === "MissingBuiltinsError"))
      return "refused";
    if (error instanceof EvaluationError && !(error.cause instanceof TypeError)) return "failed";
    throw error;
  }
}

type Path = readonly (string | number)[];

function pathsOf(value: Json, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return keys.flatMap((key) => {
    const inner = [...path, key];
    return [inner, ...pathsOf((value as Record<string | number, Json>)[key]!, inner)];
  });
}

const basePlan = everyStatement() as Json;
const basePaths = pathsOf(basePlan);

function valueAt(value: Json, path: Path): Json | undefined {
  let at: Json | undefined = value;
  for (const key of path)
    at = typeof at === "object" && at !== null ? (at as Record<string | number, Json>)[key] : undefined;
  return at;
}

/** A copy with another value at a path, or none; it shares the rest. A path that leads nowhere changes nothing. */
function withValue(value: Json, path: Path, put: Json | undefined, depth = 0): Json {
  const key = path[depth];
  if (key === undefined || typeof value !== "object" || value === null) return value;
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string | number, Json>;
  if (depth < path.length - 1) {
    const inner = copy[key];
    if (inner !== undefined) copy[key] = withValue(inner, path, put, depth + 1);
  } else if (put !== undefined) copy[key] = put;
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else delete copy[key];
  return copy as Json;
}

/** The loader alone, on a plan that is copied only where it is changed: millions can be tried. */
export const loaderTarget: FuzzTarget = {
  name: "Rego plan loader",
  run(seed) {
    const random = new Random(seed);
    let plan: Json = basePlan;
    for (let times = 1 + random.below(4); times > 0; times--) {
      const kind = random.below(4);
      const put =
        kind === 0
          ? random.pick(strange)
          : kind === 1
            ? random.below(16)
            : kind === 2
              ? valueAt(basePlan, random.pick(basePaths))
              : undefined;
      plan = withValue(plan, random.pick(basePaths), put);
    }
    try {
      loadPlan(plan);
      return "loaded";
    } catch (error) {
      if (error instanceof PlanError) return "refused";
      throw error;
    }
  },
};

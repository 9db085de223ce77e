import { describe, expect, it } from "vitest";
import { Random } from "../../../testing/random.ts";
import type { Builtin } from "../builtins/contract.ts";
import { EvaluationError } from "../builtins/contract.ts";
import { compileRego } from "../evaluate/index.ts";
import { everyStatement, type Json } from "../plan.test-kit.ts";
import type { RegoValue } from "../values.ts";
import { loadPlan, PlanError } from "./index.ts";

const cases = Number(process.env.SHIELDX_FUZZ_CASES ?? 2_000);
/** Replay one case with SHIELDX_FUZZ_SEED=<its seed> SHIELDX_FUZZ_CASES=1. */
const firstSeed = Number(process.env.SHIELDX_FUZZ_SEED ?? 1);

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

describe("a spoilt plan", () => {
  it(`is refused, or runs to a result or a clear error and changes nothing it was given (${cases} cases)`, () => {
    const counts = { refused: 0, failed: 0, answered: 0 };
    for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
      const random = new Random(seed);
      const plan: Json = everyStatement();
      for (let times = 1 + random.below(4); times > 0; times--) mutate(plan, random);
      counts[outcomeOf(plan, seed)]++;
    }
    if (cases < 1_000) return;
    console.info(`plans: ${JSON.stringify(counts)}`);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(cases / 500);
  });
});

function outcomeOf(plan: Json, seed: number): "refused" | "failed" | "answered" {
  try {
    const policy = compileRego(loadPlan(plan), builtins);
    for (const entrypoint of policy.entrypoints)
      policy.evaluate(entrypoint, { input, data, context: { nowNs: 0n, costLimit: 50_000 } });
    return "answered";
  } catch (error) {
    if (error instanceof PlanError) return "refused";
    // Absurd numbers, and built-ins that are not there, are found while compiling.
    if (error instanceof RangeError || (error instanceof Error && error.name === "MissingBuiltinsError"))
      return "refused";
    if (error instanceof EvaluationError && !(error.cause instanceof TypeError)) return "failed";
    throw new Error(`seed ${seed}`, { cause: error });
  }
}

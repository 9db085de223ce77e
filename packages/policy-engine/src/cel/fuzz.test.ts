import { describe, expect, it } from "vitest";
import { fuzzCases, runFuzz } from "../../testing/fuzz.ts";
import {
  checkerTarget,
  ExpressionGenerator,
  fuzzEnvironment,
  hostileObject,
  lexerTarget,
  parserTarget,
} from "./fuzz.test-kit.ts";
import { evaluateBothWays } from "./generate/both-ways.test-kit.ts";
import { bindings, CelAbort, CelError, type CelValue, check, compile } from "./index.ts";

const CASES = fuzzCases(4_000);
const SEED = Number(process.env.SHIELDX_SEED ?? 20_260_101);
/** No expression may keep the engine busy for longer, in milliseconds; the budget ends most far earlier. */
const MAX_MS = 3000;

const environment = fuzzEnvironment(SEED % 2 === 1);

type Stage = "refused" | "failed" | "evaluated";

function run(expression: string, object: CelValue, isChecked: boolean): Stage {
  let make: () => ReturnType<typeof compile>;
  try {
    const ast = environment.parse(expression);
    const checked = isChecked ? check(ast, environment) : ast;
    make = () => compile(checked, environment);
    make();
  } catch (error) {
    if (error instanceof CelError) return "refused";
    throw error;
  }
  const { error } = evaluateBothWays(make, bindings({ object }), { costLimit: 100_000 });
  if (error === undefined) return "evaluated";
  if (error instanceof CelError || error instanceof CelAbort) return "failed";
  throw error;
}

describe("the front end survives", () => {
  it.each([lexerTarget, parserTarget, checkerTarget])("$name", { timeout: 600_000 }, async (target) => {
    const { cases, outcomes } = await runFuzz(target, fuzzCases(20_000));
    if (cases < 1_000) return;
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(cases / 100);
    expect(Object.keys(outcomes)).toHaveLength(2);
  });
});

describe("hostile expressions and objects", () => {
  it(`end in a value or a clear error, ${CASES} times from seed ${SEED}`, {
    timeout: 60_000 + CASES * 20,
  }, () => {
    const generator = new ExpressionGenerator(SEED);
    const object = hostileObject();
    const stages = { refused: 0, failed: 0, evaluated: 0 };
    for (let i = 0; i < CASES; i++) {
      const expression = generator.expression();
      const started = process.cpuUsage();
      try {
        stages[run(expression, object, i % 3 !== 0)]++;
      } catch (error) {
        throw new Error(`case ${i}: ${JSON.stringify(expression)}`, { cause: error });
      }
      const { user, system } = process.cpuUsage(started);
      expect((user + system) / 1000, `case ${i}: ${JSON.stringify(expression)}`).toBeLessThan(MAX_MS);
    }
    console.log(`cel fuzz: ${CASES} cases, ${JSON.stringify(stages)}`);
    expect(stages.evaluated).toBeGreaterThan(CASES / 40);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  it.each([
    ["parentheses", `${"(".repeat(20_000)}1${")".repeat(20_000)}`],
    ["lists", `${"[".repeat(40_000)}${"]".repeat(40_000)}`],
    ["negations", `${"!".repeat(90_000)}true`],
    ["minus signs", `${"-".repeat(90_001)}1`],
    ["sums", `1${"+1".repeat(40_000)}`],
    ["selections", `object${".a".repeat(40_000)}`],
    ["conditionals", `${"true?1:".repeat(10_000)}1`],
    ["optional maps", `optional.of(1)${".optMap(x, x)".repeat(200)}`],
    ["conjunctions", `true${"&&true".repeat(16_000)}`],
    ["digits", "9".repeat(99_000)],
    ["a string", `'${"\\u0041".repeat(16_000)}'`],
    ["too long a text", " ".repeat(100_001)],
  ])("does not run away on %s without end", (_name, expression) => {
    const started = process.cpuUsage();
    run(expression, null, true);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1000).toBeLessThan(MAX_MS);
  });

  it("stops lists that double themselves", () => {
    const doubling = Array.from({ length: 60 }, (_, i) => `cel.bind(v${i + 1}, v${i} + v${i}, `).join("");
    const program = compile(
      environment.parse(`cel.bind(v0, [1], ${doubling}v60${")".repeat(61)}`),
      environment,
    );
    expect(() => program.evaluate(bindings({}))).toThrow("list of more than");
  });

  it("compares values nested without end with an error", () => {
    const program = compile(environment.parse("object.deep == object.deeper"), environment);
    const nested = (): CelValue => {
      let value: CelValue = 1;
      for (let i = 0; i < 5000; i++) value = [value];
      return value;
    };
    expect(() => program.evaluate(bindings({ object: { deep: nested(), deeper: nested() } }))).toThrow(
      CelError,
    );
  });
});

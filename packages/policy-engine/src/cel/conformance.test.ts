import { getConformanceSuite, getParsingSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { describe, expect, it } from "vitest";
import { allCases, type Case, needsMessages, runCase } from "./conformance.test-kit.ts";
import { CelEnvironment, CelError, check } from "./index.ts";

/** Cases that end otherwise here, each for a reason. Nothing else may fail. */
const KNOWN_DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ["fields/qualified_identifier_resolution/map_key_float", "cel-go accepts doubles as keys of map literals"],
  ["fields/qualified_identifier_resolution/map_value_repeat_key", "in cel-go the last of equal keys wins"],
  [
    "fields/qualified_identifier_resolution/map_value_repeat_key_heterogeneous",
    "in cel-go the last of equal keys wins",
  ],
  [
    "fields/map_fields/map_bad_key_type_or_true",
    "the API server folds dyn() of a constant, and then refuses the program for its key",
  ],
  [
    "fields/map_fields/map_bad_key_type_and_false",
    "the API server folds dyn() of a constant, and then refuses the program for its key",
  ],
  [
    "optionals/optionals/map_null_entry_no_such_key",
    "Kubernetes leaves cel-go's error for a presence test on a scalar turned off",
  ],
  [
    "optionals/optionals/map_present_key_invalid_field",
    "Kubernetes leaves cel-go's error for a presence test on a scalar turned off",
  ],
  ["string_ext/value_errors/indexof_out_of_range", "cel-go 0.29 finds nothing beyond the end"],
  ["string_ext/value_errors/lastindexof_out_of_range", "cel-go 0.29 finds nothing beyond the end"],
  [
    "type_deductions/legacy_nullable_types/null_assignable_to_abstract_parameter_candidate",
    "cel-go's rule for the more general of two types chooses null (checker/types.go)",
  ],
]);

/** Least share of cases that pass, known differences counted as failures. */
const LEAST_SHARE = 0.98;

describe("CEL specification conformance", () => {
  const cases = allCases(getConformanceSuite()).filter((testCase) => !needsMessages(testCase));
  const failures = new Map<string, string>();
  const files = new Map<string, { passed: number; total: number }>();
  for (const testCase of cases) {
    const failure = runCase(testCase);
    const file = files.get(testCase.file) ?? { passed: 0, total: 0 };
    files.set(testCase.file, {
      passed: file.passed + (failure === undefined ? 1 : 0),
      total: file.total + 1,
    });
    if (failure !== undefined) failures.set(testCase.id, describeFailure(testCase, failure));
  }

  it("passes all cases that need no protobuf messages but the known differences", () => {
    for (const [name, { passed, total }] of files) console.log(`conformance ${name}: ${passed} of ${total}`);
    const passed = cases.length - failures.size;
    console.log(
      `conformance: ${passed} of ${cases.length} (${((100 * passed) / cases.length).toFixed(2)} %)`,
    );
    const unknown = [...failures].filter(([id]) => !KNOWN_DIFFERENCES.has(id)).map(([, failure]) => failure);
    expect(unknown).toEqual([]);
    expect(cases.length).toBeGreaterThan(1500);
    expect(passed / cases.length).toBeGreaterThan(LEAST_SHARE);
  });

  it("lists no difference that is none any more", () => {
    expect([...KNOWN_DIFFERENCES.keys()].filter((id) => !failures.has(id))).toEqual([]);
  });
});

function describeFailure({ id, test }: Case, failure: string): string {
  return `${id}: ${test.original.expr}: ${failure}`;
}

describe("messages about expressions", () => {
  const environment = new CelEnvironment();
  /** The recorded answers are of a cel-go that did not have `existsOne` yet. */
  const isNewer = (expr: string): boolean => expr.includes("existsOne");
  const recorded = allCases(getParsingSuite()).filter(
    ({ test }) => test.error?.startsWith("ERROR: <input>") === true && !isNewer(test.original.expr),
  );

  it(`are cel-go's for ${recorded.length} expressions that parse but refer to nothing`, () => {
    for (const { test } of recorded) {
      expect(messageOf(() => check(environment.parse(test.original.expr), environment))).toBe(test.error);
    }
    expect(recorded.length).toBeGreaterThan(50);
  });

  it("are cel-go's for the first mistake of expressions that do not parse", () => {
    const faulty = allCases(getParsingSuite()).filter(
      ({ test }) => test.error?.startsWith("ERROR: :") === true,
    );
    const first = (message: string | undefined): string | undefined =>
      message?.split("\n")[0]?.replace("<input>", "");
    const different = faulty.filter(
      ({ test }) => first(messageOf(() => environment.parse(test.original.expr))) !== first(test.error),
    );
    console.log(`syntax errors worded as in cel-go: ${faulty.length - different.length} of ${faulty.length}`);
    expect(different.length / faulty.length).toBeLessThan(0.3);
  });
});

function messageOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof CelError) return error.message;
    throw error;
  }
}

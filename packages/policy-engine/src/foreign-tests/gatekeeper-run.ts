/** Runs suites as `gator verify` does, on what ShieldX makes of their templates and constraints. */
import { RE2JS } from "re2js";
import { type Imported, importPolicies } from "../foreign/index.ts";
import { at, textAt } from "../foreign/plain.ts";
import { definedResources } from "../offline/resource-of.ts";
import type { ReadObjects, RunEnvironment } from "./environment.ts";
import type {
  GatekeeperAssertion,
  GatekeeperCase,
  GatekeeperSuite,
  GatekeeperTest,
} from "./gatekeeper-suite.ts";
import { HeldPolicies } from "./held.ts";
import { importProblem, unsupportedBy } from "./import-problem.ts";
import { type ForeignOutcome, failed, noVerdict, passed, type Said, skipped } from "./outcome.ts";
import { requestFor } from "./request.ts";
import { syncSetOf } from "./sync-set.ts";

/** A suite with its policies, which may have to be compiled before it runs. */
export interface PreparedGatekeeperSuite {
  readonly suite: GatekeeperSuite;
  readonly tests: readonly PreparedTest[];
}

interface PreparedTest {
  readonly test: GatekeeperTest;
  readonly constraint: unknown;
  readonly imported: Imported;
  /** Why nothing is to be run. */
  readonly problem: Said | undefined;
}

const nothing: Imported = { policies: [], notes: [], left: [] };

export function prepareGatekeeperSuite(suite: GatekeeperSuite, read: ReadObjects): PreparedGatekeeperSuite {
  return { suite, tests: suite.tests.map((test) => prepareTest(test, suite, read)) };
}

function prepareTest(test: GatekeeperTest, suite: GatekeeperSuite, read: ReadObjects): PreparedTest {
  const without = (problem: Said): PreparedTest => ({
    test,
    constraint: undefined,
    imported: nothing,
    problem,
  });
  if (suite.isSkipped || test.isSkipped) return without(skipped);
  if (test.template === "" || test.constraint === "")
    return without(noVerdict("the test names no template or no constraint: add it"));
  const template = oneOf(read(test.template), test.template, (kind) => kind === "ConstraintTemplate");
  if (typeof template === "string") return without(noVerdict(template));
  const constraint = oneOf(read(test.constraint), test.constraint, (kind) => kind !== "ConstraintTemplate");
  if (typeof constraint === "string") return without(noVerdict(constraint));
  const files = test.cases.flatMap(({ object, inventory }) => [object, ...inventory]);
  const around = files.flatMap((file) => {
    const found = file === "" ? [] : read(file);
    return typeof found === "string" ? [] : found;
  });
  const imported = importPolicies({ objects: [template, constraint, syncSetOf(around)] });
  const isExpanded = test.expansion !== undefined;
  return {
    test,
    constraint,
    imported,
    problem: isExpanded ? noVerdict(noExpansion, "ExpansionTemplate") : undefined,
  };
}

const noExpansion =
  "ShieldX judges no objects that ExpansionTemplates make up: test the object itself, or write the policy for the workload";

function oneOf(objects: readonly unknown[] | string, file: string, is: (kind: string) => boolean): unknown {
  if (typeof objects === "string") return objects;
  const [found] = objects.filter((object) => is(textAt(object, "kind") ?? ""));
  return found ?? `${file} holds no such object`;
}

export function runGatekeeperSuite(
  { tests }: PreparedGatekeeperSuite,
  read: ReadObjects,
  environment: RunEnvironment,
): ForeignOutcome[] {
  return tests.flatMap((prepared) => runTest(prepared, read, environment));
}

function runTest(prepared: PreparedTest, read: ReadObjects, environment: RunEnvironment): ForeignOutcome[] {
  const { test, imported, problem, constraint } = prepared;
  const policy = policyName(constraint, test);
  const timed = (name: string, run: () => Said): ForeignOutcome => {
    const startedAt = environment.monotonicNow();
    const said = run();
    return { policy, name: `${test.name}/${name}`, ...said, tookMs: environment.monotonicNow() - startedAt };
  };
  if (test.isInvalid) return [timed("invalid", () => problem ?? saidOfInvalid(imported))];
  const held = new HeldPolicies(imported.policies, environment);
  const reason = problem ?? importProblem(imported, held);
  return test.cases.map((each) =>
    timed(each.name, () => {
      if (each.isSkipped) return skipped;
      return reason ?? runCase(each, prepared, held, read, environment);
    }),
  );
}

function policyName(constraint: unknown, { constraint: file }: GatekeeperTest): string {
  const name = textAt(constraint, "metadata", "name");
  return name === undefined ? file : `${textAt(constraint, "kind") ?? ""}/${name}`;
}

function saidOfInvalid({ notes, policies }: Imported): Said {
  const refusal = notes.find(({ severity }) => severity === "error");
  if (policies.length > 0 || refusal === undefined)
    return failed("expected the constraint not to fit its template, but it was taken", false);
  return passed(`${refusal.path}: ${refusal.message}`, false);
}

function runCase(
  each: GatekeeperCase,
  { constraint, imported }: PreparedTest,
  held: HeldPolicies,
  read: ReadObjects,
  { now }: RunEnvironment,
): Said {
  if (each.object === "") return noVerdict("the case names no object: add it");
  if (each.assertions.length === 0) return noVerdict("the case asserts nothing: add violations");
  const objects = read(each.object);
  if (typeof objects === "string") return noVerdict(objects);
  const [object, another] = objects;
  if (object === undefined || another !== undefined)
    return noVerdict(`${each.object} holds ${objects.length} objects: give it one`);
  const inventory: unknown[] = [];
  for (const file of each.inventory) {
    const found = read(file);
    if (typeof found === "string") return noVerdict(found);
    inventory.push(...found);
  }
  const request = requestFor(object, definedResources(inventory));
  if (typeof request === "string") return noVerdict(request);
  if (!isForGator(constraint)) return judged(each.assertions, [], false);
  const { policies } = held.hold(request, { objects: inventory, now });
  const lost = unsupportedBy(imported);
  const broken = policies.find(({ problem }) => problem !== undefined);
  if (broken?.problem !== undefined) return noVerdict(broken.problem, broken.lacks ?? lost);
  const isMatched = policies.some((said) => said.isMatched);
  const violations = policies.flatMap((said) => said.violations);
  const said = judged(each.assertions, violations, isMatched);
  return said.result === "failed" && lost !== undefined ? noVerdict(`${said.message} (${lost})`, lost) : said;
}

/** gator is an enforcement point of its own, which a scoped constraint may leave out. */
function isForGator(constraint: unknown): boolean {
  if (textAt(constraint, "spec", "enforcementAction") !== "scoped") return true;
  const actions = at(constraint, "spec", "scopedEnforcementActions");
  const points = (Array.isArray(actions) ? actions : []).flatMap((action: unknown) => {
    const found = at(action, "enforcementPoints");
    return Array.isArray(found) ? found.map((point: unknown) => textAt(point, "name")) : [];
  });
  return points.some((name) => name === "*" || name === "gator.gatekeeper.sh");
}

function judged(
  assertions: readonly GatekeeperAssertion[],
  violations: readonly string[],
  isMatched: boolean,
): Said {
  for (const assertion of assertions) {
    const problem = problemOf(assertion, violations);
    if (typeof problem === "object") return problem;
    if (problem !== undefined) return failed(problem, isMatched);
  }
  return passed(violations.length === 0 ? "nothing is wrong with it" : violations.join("; "), isMatched);
}

/** Longer patterns are no messages. */
const longestPattern = 4_096;

function problemOf(
  { violations, message }: GatekeeperAssertion,
  said: readonly string[],
): string | Said | undefined {
  let matching = said;
  if (message !== undefined) {
    if (message.length > longestPattern) return noVerdict(`message: at most ${longestPattern} characters`);
    let pattern: RE2JS;
    try {
      pattern = RE2JS.compile(message);
    } catch (error) {
      return noVerdict(`message is no pattern: ${error instanceof Error ? error.message : String(error)}`);
    }
    matching = said.filter((text) => pattern.test(text));
  }
  const count = matching.length;
  const isMet = violations === "yes" ? count > 0 : violations === "no" ? count === 0 : count === violations;
  if (isMet) return undefined;
  const wanted = violations === "yes" ? "at least one violation" : `${violations} violations`;
  const like = message === undefined ? "" : ` with "${message}"`;
  const got = said.length === 0 ? "there is none" : `there are ${said.length}: ${said.join("; ")}`;
  return `expected ${wanted}${like}, but ${got}`;
}

/** Plans made by lot, of every kind of statement, run as closures and as code. */
import type { FuzzTarget } from "../../../testing/fuzz.ts";
import { Random } from "../../../testing/random.ts";
import type { Builtin } from "../builtins/contract.ts";
import { EvaluationError } from "../builtins/contract.ts";
import { builtins as all } from "../builtins/index.ts";
import { loadPlan, PlanError } from "../plan/index.ts";
import { block, bool, type FunctionDraft, type Json, local, PlanDraft, statement } from "../plan.test-kit.ts";
import type { RegoValue } from "../values.ts";
import { evaluateBothWays } from "./both-ways.test-kit.ts";

const arities: Readonly<Record<string, number>> = {
  ...{ startswith: 2, endswith: 2, contains: 2, equal: 2, neq: 2, lt: 2, lte: 2, gt: 2, gte: 2, plus: 2 },
  ...{ count: 1, to_number: 1, sort: 1, "internal.member_2": 2, "object.get": 3, "time.now_ns": 0 },
  ...{ union: 1, "array.concat": 2, "rand.intn": 2 },
};
const builtins = new Map<string, Builtin>(
  Object.keys(arities).flatMap((name) => {
    const found = all.get(name);
    return found === undefined ? [] : [[name, found] as const];
  }),
);

const words = ["a", "b", "list", "users", "name", "constructor", "__proto__", "x-y", "w".repeat(1_100)];
const functionCount = 4;
const localCount = 9;

const inputs: readonly RegoValue[] = [
  { users: [{ name: "ann" }, { name: "root" }], list: [[1], [2, [3]], "a"], a: { b: "list", name: "a" } },
  JSON.parse('{"a": {"__proto__": {"b": 1}, "constructor": {"name": "b"}}, "list": {"a": 1, "b": [2]}}'),
  { a: "w".repeat(1_100), b: ["a", "b", 2 ** 53, 0.5, null, true], "x-y": { "x-y": "b" } },
  [],
  "a",
];

class PlanLot {
  readonly #random: Random;
  readonly #draft = new PlanDraft();
  readonly #functions: FunctionDraft[];
  #left = 60;

  constructor(random: Random) {
    this.#random = random;
    // Functions of two parameters are rules; a fourth of all take one more.
    this.#functions = Array.from({ length: functionCount }, (_, at) => ({
      name: `g0.data.f${at}`,
      params: random.below(4) === 0 ? [0, 1, 2] : [0, 1],
      return: 3,
      path: ["g0", `f${at}`],
      blocks: [],
    }));
  }

  plan(): Json {
    for (const [at, made] of this.#functions.entries()) {
      this.#left = 40;
      made.blocks.push(...this.#blocks(1, at), block(statement("ReturnLocalStmt", { source: 3 })));
    }
    this.#left = 60;
    return this.#draft.plan([...this.#blocks(1, -1), this.#answer()], this.#functions, arities);
  }

  /** All that the variables hold in the end. */
  #answer(): Json {
    const array = localCount;
    const blocks = Array.from({ length: localCount - 2 }, (_, at) =>
      block(statement("ArrayAppendStmt", { value: local(at + 2), array })),
    );
    return block(
      statement("MakeArrayStmt", { target: array }),
      statement("BlockStmt", { blocks }),
      ...this.#draft.result(array, array + 1),
    );
  }

  #blocks(depth: number, from: number): Json[] {
    return Array.from({ length: 1 + this.#random.below(3) }, () => this.#block(depth, from));
  }

  #block(depth: number, from: number): Json {
    const count = 1 + this.#random.below(6);
    return block(...Array.from({ length: count }, () => this.#statements(depth, from)).flat());
  }

  #local(): number {
    return this.#random.below(localCount);
  }

  /** Seldom one of the documents: what overwrites those makes most of a plan undefined. */
  #target(): number {
    return this.#random.below(30) === 0 ? this.#random.below(2) : 2 + this.#random.below(localCount - 2);
  }

  #operand(): Json {
    const kind = this.#random.below(8);
    if (kind === 0) return bool(this.#random.below(2) === 0);
    return kind < 3 ? this.#word() : local(this.#local());
  }

  #word(): Json {
    return this.#draft.text(this.#random.pick(words));
  }

  #statements(depth: number, from: number): Json[] {
    if (this.#left-- <= 0) return [statement("NopStmt")];
    const kind = this.#random.below(24);
    if (kind < 6 && depth < 6) return [this.#nesting(kind, depth, from)];
    if (kind < 10) return this.#lookup();
    if (kind < 13) return [this.#call(from)];
    if (kind < 17) return this.#making();
    return [this.#plain(depth)];
  }

  #nesting(kind: number, depth: number, from: number): Json {
    const inner = () => this.#block(depth + 1, from);
    switch (kind) {
      case 0:
      case 1:
        return statement("BlockStmt", { blocks: this.#blocks(depth + 1, from) });
      case 2:
      case 3:
        return statement("ScanStmt", {
          source: this.#local(),
          key: this.#target(),
          value: this.#target(),
          block: inner(),
        });
      case 4:
        return statement("NotStmt", { block: inner() });
      default: {
        const path = this.#random.below(2) === 0 ? [] : [this.#draft.string(this.#random.pick(words))];
        const place = { local: this.#random.below(2), path, value: this.#operand() };
        return statement("WithStmt", { ...place, block: inner() });
      }
    }
  }

  #lookup(): Json[] {
    if (this.#random.below(2) === 0) {
      const words_ = ["a", "b", "users", "list"];
      return this.#draft.dots(0, [this.#random.pick(words_)], this.#target());
    }
    const key = this.#random.below(2) === 0 ? this.#word() : this.#operand();
    return [statement("DotStmt", { source: this.#operand(), key, target: this.#target() })];
  }

  /** Mostly of functions that come later: few plans call themselves. */
  #call(from: number): Json {
    const choice = this.#random.below(10);
    const result = this.#target();
    if (choice < 5) {
      const names = Object.entries(arities);
      const [func, arity] = this.#random.pick(names);
      return statement("CallStmt", {
        func,
        args: Array.from({ length: arity }, () => this.#operand()),
        result,
      });
    }
    const later = this.#functions.slice(this.#random.below(40) === 0 ? 0 : from + 1);
    if (later.length === 0) return statement("NopStmt");
    const callee = this.#random.pick(later);
    const documents = this.#random.below(10) === 0 ? [this.#operand(), local(1)] : [local(0), local(1)];
    if (choice === 5) {
      const path = [this.#draft.text("g0"), this.#random.below(2) === 0 ? this.#draft.text("f3") : local(2)];
      return statement("CallDynamicStmt", { args: callee.params.map((_, at) => at), path, result });
    }
    const args = [...documents, ...callee.params.slice(2).map(() => this.#operand())];
    return statement("CallStmt", { func: callee.name, args, result });
  }

  /** Something new, and what fills it. */
  #making(): Json[] {
    const target = 2 + this.#random.below(localCount - 2);
    const value = this.#operand();
    const site = { value, object: target };
    switch (this.#random.below(9)) {
      case 0:
        return [
          statement("MakeArrayStmt", { target }),
          statement("ArrayAppendStmt", { value, array: target }),
        ];
      case 1:
        return [statement("MakeSetStmt", { target }), statement("SetAddStmt", { value, set: target })];
      case 2:
        return [
          statement("MakeObjectStmt", { target }),
          statement("ObjectInsertStmt", { ...site, key: this.#operand() }),
          statement("ObjectInsertOnceStmt", { ...site, key: this.#operand() }),
        ];
      case 3:
        return [statement("MakeNumberIntStmt", { value: this.#random.below(3), target })];
      case 4:
        return [
          statement("MakeNumberRefStmt", { index: this.#draft.string("12345678901234567890"), target }),
        ];
      case 5:
        return [statement("MakeNullStmt", { target })];
      case 6:
        return [statement("MakeSetStmt", { target })];
      case 7:
        return [statement("SetAddStmt", { value, set: target })];
      default:
        return [statement("ObjectInsertStmt", { ...site, key: this.#operand() })];
    }
  }

  #plain(depth: number): Json {
    const [source, target] = [this.#operand(), this.#target()];
    switch (this.#random.below(13)) {
      case 0:
        return statement("EqualStmt", { a: source, b: this.#operand() });
      case 1:
        return statement("NotEqualStmt", { a: source, b: this.#operand() });
      case 2:
        return statement("IsArrayStmt", { source });
      case 3:
        return statement("IsObjectStmt", { source });
      case 4:
        return statement("IsDefinedStmt", { source: target });
      case 5:
        return statement("IsUndefinedStmt", { source: target });
      case 6:
        return statement("AssignVarStmt", { source, target });
      case 7:
        return statement("AssignVarOnceStmt", { source, target: 3 });
      case 8:
        return statement("ResetLocalStmt", { target });
      case 9:
        return statement("LenStmt", { source, target });
      case 10:
        return statement("ObjectMergeStmt", { a: this.#local(), b: this.#local(), target });
      case 11:
        return statement("BreakStmt", { index: this.#random.below(depth) });
      default:
        return statement("IsSetStmt", { source });
    }
  }
}

/** Answers, errors and work are those of the closures, alone and with results that are shared. */
export const generatedPlanTarget: FuzzTarget = {
  name: "Rego plan as closures and as code",
  run(seed) {
    const random = new Random(seed);
    const json = new PlanLot(random).plan();
    try {
      const plan = loadPlan(json);
      const answers = evaluateBothWays(plan, builtins, {
        entrypoint: "test/query",
        question: {
          input: random.pick(inputs),
          data: { a: { b: 1 }, list: ["a"] },
          context: {
            nowNs: 0n,
            costLimit: random.below(4) === 0 ? 200 : 20_000,
            strictErrors: random.below(8) === 0,
          },
        },
      });
      return answers.length === 0 ? "nothing" : "answered";
    } catch (error) {
      if (error instanceof PlanError) return "refused";
      if (error instanceof EvaluationError && !(error.cause instanceof TypeError)) return error.code;
      throw error;
    }
  },
};

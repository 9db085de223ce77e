/** The same query as closures, as code, and with what another policy found out: nothing about the outcomes may differ. */
import { asClosures, asCode } from "../../generate/pace.test-kit.ts";
import { type Builtin, EvaluationError } from "../builtins/contract.ts";
import { compileRego, type Question, type RegoPolicy, SharedResults } from "../evaluate/index.ts";
import type { RegoPlan } from "../plan/index.ts";
import type { RegoValue } from "../values.ts";

export interface Asked {
  readonly entrypoint: string;
  readonly question: Question;
}

/** Bytes that are the same whenever they are asked for in the same order. */
function seededBytes(): (count: number) => Uint8Array {
  let seed = 1;
  return (count) =>
    Uint8Array.from({ length: count }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed >> 16;
    });
}

/**
 * Answers as the code does, errors included. Throws when closures come to anything else, when either does with results
 * that are shared, or when the work is not the same.
 */
export function evaluateBothWays(
  plan: RegoPlan,
  builtins: ReadonlyMap<string, Builtin>,
  { entrypoint, question }: Asked,
): ReturnType<RegoPolicy["evaluate"]> {
  /** What they have in common lasts as long as they do. */
  const policies: RegoPolicy[] = [];
  const ask = (shared: SharedResults | undefined) => {
    let work = Number.NaN;
    const context = {
      randomBytes: seededBytes(),
      ...question.context,
      onWork: (units: number) => {
        work = units;
      },
      ...(shared === undefined ? {} : { shared }),
    };
    const policy = compileRego(plan, builtins);
    policies.push(policy);
    try {
      const answers = policy.evaluate(entrypoint, { ...question, context });
      return { answers, error: undefined, work, text: `${shownJson(answers)}` };
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      const { code, message, location } = error;
      return { answers: [], error, work, text: `${code}: ${message} at ${shownJson(location)}` };
    }
  };
  const closures = asClosures(() => ask(undefined));
  const code = asCode(() => ask(undefined));
  const others = [
    { name: "generated", outcome: code },
    ...(question.input === undefined ? [] : sharedOutcomes(question.input, ask)),
  ];
  for (const { name, outcome } of others)
    if (outcome.text !== closures.text || outcome.work !== closures.work)
      throw new Error(
        `closures: ${closures.text}, work ${closures.work}; ${name}: ${outcome.text}, work ${outcome.work}`,
      );
  if (policies.length === 0) throw new Error("nothing was asked");
  if (code.error !== undefined) throw code.error;
  return code.answers;
}

/** Closures that find out what code then uses, and the other way about. What is common shows the second time it is asked for. */
function sharedOutcomes<T>(input: RegoValue, ask: (shared: SharedResults) => T) {
  const [first, second] = [new SharedResults(input), new SharedResults(input)];
  return [
    { name: "closures that share", outcome: asClosures(() => ask(first)) },
    { name: "code that keeps", outcome: asCode(() => ask(first)) },
    { name: "closures that are told", outcome: asClosures(() => ask(first)) },
    { name: "closures that keep", outcome: asClosures(() => ask(second)) },
    { name: "code that is told", outcome: asCode(() => ask(second)) },
  ];
}

function shownJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}n` : item)) ?? "";
}

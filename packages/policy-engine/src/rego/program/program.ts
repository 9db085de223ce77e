/** A compiled source whose answer is read as what is wrong with a request. */
import { EvaluationError } from "../builtins/contract.ts";
import { builtins } from "../builtins/index.ts";
import { type CompileProblem, type CompileRequest, planName } from "../compiler/index.ts";
import { compileRego, type QueryContext, type QuickQuery } from "../evaluate/index.ts";
import type { RegoPlan } from "../plan/index.ts";
import { getKey, isArray, isObject, isSet, type PlainObject, type RegoValue, typeName } from "../values.ts";
import { refuseConflicts } from "./data-conflict.ts";
import { defaultRules, type RegoSource } from "./source.ts";

export interface RegoQuestion {
  readonly input: RegoValue;
  /** Documents beside those of the source; theirs count where both have a name. */
  readonly data?: PlainObject | undefined;
  readonly context: QueryContext;
}

export interface RegoProgram {
  /** `data.shieldx.deny` */
  readonly entrypoint: string;
  /** `deny` */
  readonly rule: string;
  /**
   * What is wrong, a message each; none when nothing is. Throws `EvaluationError`, also for an answer that is no list of
   * messages, and `AwaitsOutcome` where the context lets it call hosts.
   */
  evaluate(question: RegoQuestion): readonly string[];
  /** Tells sooner that nothing is wrong, of a question without documents of its own. */
  readonly quick?: QuickQuery | undefined;
}

/** Built-ins that would reach out of the process. */
const reachingOut: ReadonlyMap<string, string> = new Map([
  ["http.send", "; a policy reaches no host: list those it may call in spec.rego.allowedHosts"],
  ["net.lookup_ip_addr", "; a policy looks up no names"],
]);

/** What OPA's compiler is asked for. */
export function compileRequestOf({
  modules,
  version,
  versions,
  entrypoint,
  callsHosts,
}: RegoSource): CompileRequest {
  const mayBeCalled = (name: string) =>
    !reachingOut.has(name) || (name === "http.send" && callsHosts === true);
  return {
    modules,
    regoVersion: version,
    ...(versions === undefined ? {} : { versions }),
    builtins: [...builtins.keys()].filter(mayBeCalled),
    ...(entrypoint === undefined ? { rules: defaultRules } : { entrypoints: [entrypoint] }),
  };
}

/**
 * The entrypoint that a source asks for, as its plan has it; undefined where it does not, and has to be compiled. A plan that
 * was compiled for the source has no other.
 */
export function plannedEntrypoint(plan: RegoPlan, { entrypoint }: RegoSource): string | undefined {
  const names = plan.plans.map(({ name }) => name);
  if (entrypoint !== undefined) return names.find((name) => name === planName(entrypoint));
  return defaultRules.flatMap((rule) => names.filter((name) => name.endsWith(`/${rule}`)))[0];
}

/** Throws `MissingBuiltinsError`, and `RangeError` for a plan of absurd numbers, without the entrypoint, or whose rules and data conflict. */
export function regoProgram(plan: RegoPlan, source: RegoSource): RegoProgram {
  const { data = {} } = source;
  refuseConflicts(plan, data);
  const policy = compileRego(plan, builtins);
  const name = plannedEntrypoint(plan, source) ?? policy.entrypoints[0];
  if (name === undefined) throw new RangeError("the plan has no entrypoint");
  const entrypoint = `data.${name.replaceAll("/", ".")}`;
  const isBare = Object.keys(data).length === 0;
  const look = (answer: RegoValue | undefined) => messagesOf(answer, entrypoint);
  return {
    entrypoint,
    rule: name.slice(name.lastIndexOf("/") + 1),
    quick: policy.quickQuery(name, data),
    evaluate({ input, data: more, context }) {
      const documents = isBare ? (more ?? data) : { ...more, ...data };
      return policy.read(name, { input, data: documents, context }, look);
    },
  };
}

/** More than anybody reads; each is kept by the background audit. */
const mostMessages = 50;

function messagesOf(answer: RegoValue | undefined, entrypoint: string): readonly string[] {
  if (answer === undefined) {
    throw unusable(`${entrypoint} is undefined for this request: give it a value when nothing is wrong, too`);
  }
  if (!isSet(answer) && !isArray(answer)) throw unusable(`${entrypoint} is ${nameOf(answer)}`);
  if ((isSet(answer) ? answer.size : answer.length) === 0) return noMessages;
  const list = isSet(answer) ? answer.sorted() : answer;
  const messages = list.slice(0, mostMessages).map((item, at) => messageOf(item, at, entrypoint));
  const left = list.length - messages.length;
  return left === 0 ? messages : [...messages, `and ${left} more`];
}

const noMessages: readonly string[] = [];

function messageOf(item: RegoValue, at: number, entrypoint: string): string {
  const given = isObject(item) ? getKey(item, "msg") : undefined;
  const message = given === undefined ? item : given;
  if (typeof message === "string") return message === "" ? `${entrypoint} gives no message` : message;
  const where = given === undefined ? "is" : "has as msg";
  throw unusable(`member ${at} of ${entrypoint} ${where} ${nameOf(message)}`);
}

function unusable(what: string): EvaluationError {
  const message = `${what}; it must be a set or an array of messages, or of objects with the message as msg`;
  return new EvaluationError("eval_type_error", message);
}

function nameOf(value: RegoValue): string {
  const name = typeName(value);
  if (name === "null") return name;
  if (name === "boolean" || name === "number") return `the ${name} ${String(value)}`;
  return `${name === "array" || name === "object" ? "an" : "a"} ${name}`;
}

/** For people: `line 3, column 22: var y is unsafe (rego_unsafe_var_error)`. */
export function describeProblem(problem: CompileProblem, source: RegoSource): string {
  const { code, message, file, row, col } = problem;
  const isOfMany = Object.keys(source.modules).length > 1;
  const place = [
    ...(isOfMany && file !== undefined ? [file] : []),
    ...(row === undefined ? [] : [`line ${row}, column ${col ?? 1}`]),
  ].join(", ");
  const called = /^undefined function (\S+)$/.exec(message)?.[1] ?? "";
  const why = reachingOut.get(called) ?? "";
  return `${place === "" ? "" : `${place}: `}${message}${why} (${code})`;
}

/** A compiled source whose answer is read as what is wrong with a request. */
import { EvaluationError } from "../builtins/contract.ts";
import { builtins } from "../builtins/index.ts";
import { type CompileProblem, type CompileRequest, planName } from "../compiler/index.ts";
import { compileRego, type QueryContext } from "../evaluate/index.ts";
import type { RegoJson } from "../json.ts";
import type { RegoPlan } from "../plan/index.ts";
import type { PlainObject, RegoValue } from "../values.ts";
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
}

/** Built-ins that would reach out of the process. */
const reachingOut: ReadonlyMap<string, string> = new Map([
  ["http.send", "; a policy reaches no host: list those it may call in spec.rego.allowedHosts"],
  ["net.lookup_ip_addr", "; a policy looks up no names"],
]);

/** What OPA's compiler is asked for. */
export function compileRequestOf({ modules, version, entrypoint, callsHosts }: RegoSource): CompileRequest {
  const mayBeCalled = (name: string) =>
    !reachingOut.has(name) || (name === "http.send" && callsHosts === true);
  return {
    modules,
    regoVersion: version,
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

/** Throws `MissingBuiltinsError`, and `RangeError` for a plan of absurd numbers or without the entrypoint. */
export function regoProgram(plan: RegoPlan, source: RegoSource): RegoProgram {
  const { data = {} } = source;
  const policy = compileRego(plan, builtins);
  const name = plannedEntrypoint(plan, source) ?? policy.entrypoints[0];
  if (name === undefined) throw new RangeError("the plan has no entrypoint");
  const entrypoint = `data.${name.replaceAll("/", ".")}`;
  const isBare = Object.keys(data).length === 0;
  return {
    entrypoint,
    rule: name.slice(name.lastIndexOf("/") + 1),
    evaluate({ input, data: more, context }) {
      const documents = isBare ? (more ?? data) : { ...more, ...data };
      const answers = policy.evaluate(name, { input, data: documents, context });
      return messagesOf(answers[0]?.result, entrypoint);
    },
  };
}

/** More than anybody reads; each is kept by the background audit. */
const mostMessages = 50;

function messagesOf(answer: RegoJson | undefined, entrypoint: string): readonly string[] {
  if (answer === undefined) {
    throw unusable(`${entrypoint} is undefined for this request: give it a value when nothing is wrong, too`);
  }
  if (!isList(answer)) throw unusable(`${entrypoint} is ${nameOf(answer)}`);
  const messages = answer.slice(0, mostMessages).map((item, at) => messageOf(item, at, entrypoint));
  const left = answer.length - messages.length;
  return left === 0 ? messages : [...messages, `and ${left} more`];
}

function messageOf(item: RegoJson, at: number, entrypoint: string): string {
  const message = isRecord(item) && Object.hasOwn(item, "msg") ? item.msg : item;
  if (typeof message === "string") return message === "" ? `${entrypoint} gives no message` : message;
  const where = isRecord(item) && Object.hasOwn(item, "msg") ? "has as msg" : "is";
  throw unusable(`member ${at} of ${entrypoint} ${where} ${nameOf(message ?? null)}`);
}

function unusable(what: string): EvaluationError {
  const message = `${what}; it must be a set or an array of messages, or of objects with the message as msg`;
  return new EvaluationError("eval_type_error", message);
}

const isList = (json: RegoJson): json is readonly RegoJson[] => Array.isArray(json);

function isRecord(json: RegoJson): json is { readonly [key: string]: RegoJson } {
  return typeof json === "object" && json !== null && !isList(json);
}

function nameOf(json: RegoJson): string {
  if (json === null) return "null";
  if (isList(json)) return "an array";
  if (typeof json === "object") return "an object";
  return typeof json === "string"
    ? "a string"
    : `${typeof json === "boolean" ? "the boolean" : "the number"} ${json}`;
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

/** Runs the mutations of all policies that match a request, in the order of their names. */
import { isJsonRecord, type Json, type JsonRecord } from "../cel/kubernetes/json.ts";
import type { Mutator } from "../mutation/mutator.ts";
import type { ObjectTypes } from "../mutation/object-types.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { CompiledException } from "./exceptions.ts";
import { coveringException, failure } from "./hold.ts";
import { outOfTime } from "./judgement.ts";
import type { Question } from "./question.ts";
import type { AdmissionRequestLike } from "./request.ts";
import type { Timing, Turns } from "./timing.ts";
import { type Verdict, VerdictBuilder } from "./verdict.ts";

export type MutatingPolicy = CompiledPolicy & { readonly mutator: Mutator };

export interface MutationVerdict extends Verdict {
  /** The object after all mutations; undefined when nothing changed, or the request is refused. */
  readonly object: JsonRecord | undefined;
  /** The same also where the request is refused: as the other policies have made it, for who lets it pass all the same. */
  readonly made: JsonRecord | undefined;
  /** Names of the policies that changed something, in order. */
  readonly mutated: readonly string[];
}

/** The object a request may change: it has one, and it is not about to go. */
export function mutableObject(
  { operation, object }: AdmissionRequestLike,
  question: Question,
): JsonRecord | undefined {
  if (operation !== "CREATE" && operation !== "UPDATE") return undefined;
  const json = object as Json | undefined;
  return isJsonRecord(json) && !question.isBeingDeleted ? json : undefined;
}

/**
 * Each policy sees what those before have made of the object; which policies match is decided by the object as it came.
 * Policies with reinvocationPolicy IfNeeded are applied once more when a later one changed something, as the API server
 * reinvokes its MutatingAdmissionPolicies (policy/mutating/reinvocationcontext.go). Never throws.
 */
export function* mutateObject(
  policies: readonly MutatingPolicy[],
  question: Question,
  timing: Timing,
  object: JsonRecord,
  exceptionsFor: (policy: CompiledPolicy) => readonly CompiledException[],
  types: ObjectTypes,
): Turns<MutationVerdict> {
  const run = new Run(question, object, exceptionsFor, types);
  yield* applyAll(policies, run, timing);
  yield* applyAll(run.takeReinvoked(), run, timing);
  return run.verdict();
}

function* applyAll(policies: readonly MutatingPolicy[], run: Run, timing: Timing): Turns<void> {
  for (const policy of policies) {
    if (timing.isTurnOver()) yield* timing.pause();
    run.apply(policy);
    timing.look();
  }
}

class Run {
  readonly #question: Question;
  readonly #exceptionsFor: (policy: CompiledPolicy) => readonly CompiledException[];
  readonly #types: ObjectTypes;
  readonly #builder = new VerdictBuilder();
  readonly #mutated = new Set<string>();
  readonly #settled = new Set<string>();
  readonly #reinvoked = new Set<MutatingPolicy>();
  #invoked: MutatingPolicy[] = [];
  #object: JsonRecord;

  constructor(
    question: Question,
    object: JsonRecord,
    exceptionsFor: (policy: CompiledPolicy) => readonly CompiledException[],
    types: ObjectTypes,
  ) {
    this.#question = question;
    this.#object = object;
    this.#exceptionsFor = exceptionsFor;
    this.#types = types;
  }

  apply(policy: MutatingPolicy): void {
    try {
      this.#apply(policy);
    } catch (error) {
      this.#fail(policy, "InternalError", `internal error: ${String(error)}`);
    }
  }

  /** In the order in which they came. */
  takeReinvoked(): MutatingPolicy[] {
    const reinvoked = [...this.#reinvoked];
    this.#reinvoked.clear();
    return reinvoked;
  }

  verdict(): MutationVerdict {
    const verdict = this.#builder.verdict();
    const made = this.#mutated.size > 0 ? this.#object : undefined;
    return { ...verdict, object: verdict.allowed ? made : undefined, made, mutated: [...this.#mutated] };
  }

  #apply(policy: MutatingPolicy): void {
    const question = this.#question;
    const answer = question.answer(policy.match, question.subject);
    if (answer === "no") return;
    if (answer === "namespaceUnknown") {
      this.#note(policy);
      this.#fail(policy, "NamespaceUnknown", `the labels of namespace "${question.namespace}" are not known`);
      return;
    }
    const exception = coveringException(policy, question, this.#exceptionsFor(policy));
    if (exception !== undefined) {
      this.#note(policy);
      this.#builder.exempt({
        policy: policy.name,
        ground: "exception",
        exception: exception.key,
        violations: [],
      });
      return;
    }
    if (question.isLate()) {
      this.#note(policy);
      this.#failLate(policy);
      return;
    }
    const step = policy.mutator.mutate(question, this.#object, this.#types(question.request.kind));
    if (step.kind === "irrelevant") return;
    this.#note(policy);
    switch (step.kind) {
      case "unchanged":
        break;
      case "asks":
        this.#builder.ask(policy.name, step.checks);
        return;
      case "fails":
        if (question.wasLate) this.#failLate(policy);
        else this.#fail(policy, step.code, step.problem);
        return;
      case "changed":
        this.#object = step.object;
        this.#mutated.add(policy.name);
        for (const earlier of this.#invoked) this.#reinvoked.add(earlier);
        this.#invoked = [];
        break;
      default:
        step satisfies never;
    }
    if (policy.mutator.reinvocationPolicy === "IfNeeded") this.#invoked.push(policy);
  }

  /** Once, however often it is applied. */
  #note(policy: MutatingPolicy): void {
    if (this.#settled.has(policy.name)) return;
    this.#settled.add(policy.name);
    this.#builder.matched(policy.name);
  }

  #failLate(policy: MutatingPolicy): void {
    const { code, problem } = outOfTime(this.#question);
    this.#fail(policy, code, problem);
  }

  #fail(policy: MutatingPolicy, code: Parameters<typeof failure>[3], problem: string): void {
    this.#builder.add(failure(policy, "deny", this.#question, code, problem));
  }
}

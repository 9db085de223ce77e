import type { CelQuestion } from "../cel/admission/question.ts";
import type { AuthorizationLookup } from "../cel/kubernetes/authorization-check.ts";
import type { ImagesAtHand } from "../images/check.ts";
import { type PodReading, readPod } from "../pod-security/pod-view.ts";
import { isJsonObject } from "../pod-security/shape-reader.ts";
import { podJudgementUnchanged } from "../pod-security/unchanged.ts";
import { type ExtractedPod, extractPodSpec, podCarrierOf } from "../pod-security/workload.ts";
import type { CallsAtHand } from "../rego/calls/index.ts";
import type { PlainObject } from "../rego/values.ts";
import { regoInputOf } from "./engines/rego-input.ts";
import type { InventoryAtHand } from "./inventory.ts";
import type { Judge, Violation } from "./judgement.ts";
import {
  type CompiledMatch,
  type MatchAnswer,
  type MatchSubject,
  matchSubject,
  metadataOf,
} from "./match.ts";
import type { MessageSubject } from "./message.ts";
import type { ParamLookup } from "./params.ts";
import type { AdmissionRequestLike } from "./request.ts";
import type { Labels } from "./selector.ts";
import type { Timing } from "./timing.ts";

export interface QuestionContext {
  /** Labels of the namespace; undefined when it could not be looked up. */
  readonly namespaceLabels: Labels | undefined;
  /** The namespace itself, for expressions; null to them where it is missing. */
  readonly namespaceObject?: unknown;
  /** What the API server's authorizer says; undefined while it has not been asked. Left out, there is none to ask. */
  readonly authorize?: AuthorizationLookup;
  /** Where policies with a paramKind find their parameters; left out, nowhere. */
  readonly params?: ParamLookup | undefined;
  /** Where policies in Rego find the objects they list; left out, nowhere. They must not change during the call. */
  readonly inventory?: InventoryAtHand | undefined;
  /** What came of calls of hosts; left out, none has been made. */
  readonly calls?: CallsAtHand | undefined;
  /** What has been found out about images; left out, none has been asked about. */
  readonly images?: ImagesAtHand | undefined;
  /**
   * Told, again and again, what evaluation spends: cost of CEL in cel-go's units, units of work in Rego. No rule is then
   * decided by a shorter way that counts nothing.
   */
  readonly onSpent?: ((language: "cel" | "rego", units: number) => void) | undefined;
  /** Wall clock, milliseconds since the epoch; decides which exceptions have expired. */
  readonly now: number;
}

/** One request, or one object that exists, and what policies share in judging it: each computed at most once. */
export class Question {
  readonly request: AdmissionRequestLike;
  readonly context: QuestionContext;
  readonly subject: MatchSubject;
  /** Whether the time for an answer is over, or that of the policy at hand. */
  readonly isLate: () => boolean;
  /** Verdicts that policies of one level and edition share. */
  readonly podVerdicts = new Map<string, readonly Violation[]>();
  readonly #timing: Timing;
  #pod: { readonly extracted: ExtractedPod | undefined } | undefined;
  #reading: PodReading | undefined;
  #isPodUnchanged: boolean | undefined;
  #forExpressions: CelQuestion | undefined;
  #forRego: PlainObject | undefined;
  /** What policies of the same constraints are told. */
  readonly #answers = new Map<CompiledMatch, MatchAnswer>();
  #lastMustPass: Judge["mustPass"] | undefined;
  #lastPasses = false;
  #lastMatch: CompiledMatch | undefined;
  #lastAnswer: MatchAnswer = "no";
  readonly #computed = new Map<(question: Question) => unknown, unknown>();

  constructor(request: AdmissionRequestLike, context: QuestionContext, timing: Timing) {
    this.request = request;
    this.context = context;
    this.#timing = timing;
    this.isLate = timing.isLate;
    this.subject = matchSubject(request, context.namespaceLabels);
  }

  /** Time ended the policy at hand, which is then what its failure is about, whatever it says itself. */
  get wasLate(): boolean {
    return this.#timing.wasLate;
  }

  /** What is to be said of a policy that time ran out for. */
  get whyLate(): string {
    return this.#timing.whyLate;
  }

  /** What expressions see. */
  get forExpressions(): CelQuestion {
    this.#forExpressions ??= this.#makeForExpressions();
    return this.#forExpressions;
  }

  #makeForExpressions(): CelQuestion {
    const { request, context } = this;
    const { object, oldObject } = request;
    const namespaceObject = this.isInNamespace ? context.namespaceObject : undefined;
    return { request, object, oldObject, namespaceObject };
  }

  /** What `compute` makes of the question, which is the same for every policy that asks. */
  once<T>(compute: (question: Question) => T): T {
    const known = this.#computed.get(compute) as T | undefined;
    if (known !== undefined) return known;
    const computed = compute(this);
    this.#computed.set(compute, computed);
    return computed;
  }

  /** Whether a policy lets the request pass unseen; `mustPass` is that of its judge, and all of an engine may have one. */
  mustBeLetPass(mustPass: Judge["mustPass"]): boolean {
    if (mustPass === this.#lastMustPass) return this.#lastPasses;
    this.#lastPasses = this.once(mustPass);
    this.#lastMustPass = mustPass;
    return this.#lastPasses;
  }

  /** The answer about what the request itself is about; `subject` is another where it is held against another. */
  answer(match: CompiledMatch, subject: MatchSubject): MatchAnswer {
    if (subject !== this.subject) return match.answer(subject);
    // Policies of the same constraints often follow one another.
    if (match === this.#lastMatch) return this.#lastAnswer;
    const answer = this.#answerOnce(match, subject);
    this.#lastMatch = match;
    this.#lastAnswer = answer;
    return answer;
  }

  #answerOnce(match: CompiledMatch, subject: MatchSubject): MatchAnswer {
    const known = this.#answers.get(match);
    if (known !== undefined) return known;
    const answer = match.answer(subject);
    this.#answers.set(match, answer);
    return answer;
  }

  /** What policies in Rego see. */
  get forRego(): PlainObject {
    this.#forRego ??= regoInputOf(this.request);
    return this.#forRego;
  }

  /** What is in a namespace has one to look at; a Namespace itself is in none. */
  get isInNamespace(): boolean {
    const { group, resource } = this.request.resource;
    return this.namespace !== "" && !(group === "" && resource === "namespaces");
  }

  /** It is in a namespace which the caller does not know. */
  get lacksNamespace(): boolean {
    return this.isInNamespace && this.context.namespaceObject === undefined;
  }

  get namespace(): string {
    return this.request.namespace ?? "";
  }

  get isBeingDeleted(): boolean {
    return isBeingDeleted(this.request.oldObject);
  }

  get pod(): ExtractedPod | undefined {
    this.#pod ??= { extracted: extractPodSpec(this.request.object) };
    return this.#pod.extracted;
  }

  get reading(): PodReading {
    this.#reading ??= read(this.request.object, this.pod, this.request.resource.resource);
    return this.#reading;
  }

  /** The update leaves alone everything the Pod Security Standards look at. */
  get isPodUnchanged(): boolean {
    this.#isPodUnchanged ??= podJudgementUnchanged(this.request.oldObject, this.request.object);
    return this.#isPodUnchanged;
  }

  /** `podPath`: where the judged part sits in the object. */
  about(podPath: string): MessageSubject {
    const { kind } = this.request.kind;
    return { kind, namespace: this.namespace, name: displayName(this.request), podPath };
  }
}

/** A workload that carries no template (a ReplicationController may not) makes no Pods and so breaks nothing. */
function read(object: unknown, pod: ExtractedPod | undefined, resource: string): PodReading {
  if (pod !== undefined) return readPod(pod.metadata, pod.spec);
  if (podCarrierOf(object) !== undefined) return readPod(undefined, {});
  return { problems: [`a request about ${resource} must carry an object of that kind`] };
}

export function isBeingDeleted(object: unknown): boolean {
  const timestamp = metadataOf(object)?.deletionTimestamp;
  return timestamp !== undefined && timestamp !== null;
}

function displayName(request: AdmissionRequestLike): string {
  if (request.name !== undefined && request.name !== "") return request.name;
  const metadata = metadataOf(isJsonObject(request.object) ? request.object : request.oldObject);
  if (typeof metadata?.name === "string" && metadata.name !== "") return metadata.name;
  return typeof metadata?.generateName === "string" ? `${metadata.generateName}*` : "";
}

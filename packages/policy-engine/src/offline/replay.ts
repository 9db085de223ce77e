/** What two sets of policies make of the same recorded requests, and where they differ. */
import { DEFAULT_NAMESPACE } from "@shieldx/crds";
import { buildPolicySet } from "../policy-set/build.ts";
import type { PolicySet, PolicySetProblem } from "../policy-set/policy-set.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import type { Finding, Verdict } from "../policy-set/verdict.ts";
import { answersTo, contextsInFiles, type SetInFiles } from "./answers.ts";

export interface Replay {
  readonly requests: readonly AdmissionRequestLike[];
  readonly old: SetInFiles;
  readonly new: SetInFiles;
  /** Where ShieldX is, which no policy reaches. */
  readonly namespace?: string | undefined;
  readonly serverMinor: number;
  /** Milliseconds since the epoch: which exceptions count. */
  readonly now: number;
}

/** How one side answers. */
export interface ReplayedAnswer {
  readonly isAllowed: boolean;
  /** What is said of the request, each with the policy that says it, in order. */
  readonly denials: readonly Said[];
  readonly warnings: readonly Said[];
  /** Policies that cannot tell without a cluster. */
  readonly untold: readonly string[];
}

export interface Said {
  readonly policy: string;
  readonly message: string;
}

export type ReplayChange =
  /** It passed, and is refused now. */
  | "denied"
  /** It was refused, and passes now. */
  | "allowed"
  /** The same, but what is said to whoever asks is otherwise. */
  | "message"
  | "none";

export interface ReplayedRequest {
  readonly request: AdmissionRequestLike;
  readonly change: ReplayChange;
  readonly old: ReplayedAnswer;
  readonly new: ReplayedAnswer;
}

export interface ReplayReport {
  /** One for each request, in order. */
  readonly requests: readonly ReplayedRequest[];
  /** Policies and exceptions that do not compile. */
  readonly problems: Readonly<Record<"old" | "new", readonly PolicySetProblem[]>>;
}

/** Judges each request by both sets. Never throws for what policies and requests are. */
export function replayRequests(replay: Replay): ReplayReport {
  const [before, after] = [sideOf(replay.old, replay), sideOf(replay.new, replay)];
  const requests = replay.requests.map((request): ReplayedRequest => {
    const [old, now] = [before.answer(request), after.answer(request)];
    return { request, change: changeOf(old, now), old, new: now };
  });
  return { requests, problems: { old: before.set.problems, new: after.set.problems } };
}

interface Side {
  readonly set: PolicySet;
  answer(request: AdmissionRequestLike): ReplayedAnswer;
}

function sideOf(side: SetInFiles, { serverMinor, namespace = DEFAULT_NAMESPACE, now }: Replay): Side {
  const set = buildPolicySet({ ...side, serverMinor, neverJudged: [namespace], evaluatesNative: true });
  const contextOf = contextsInFiles(side, now);
  return { set, answer: (request) => answerOf(answersTo(request, set, contextOf(request))) };
}

function answerOf(verdicts: readonly Verdict[]): ReplayedAnswer {
  const untold = new Set(verdicts.flatMap(({ asks }) => asks.map(({ policy }) => policy)));
  const denials = verdicts.flatMap((verdict) => verdict.denials);
  for (const { policy, code } of denials) if (code === "SchemaUnknown") untold.add(policy);
  const said = denials.filter(({ code }) => code !== "SchemaUnknown").map(saidBy);
  return {
    isAllowed: said.length === 0,
    denials: said,
    warnings: verdicts.flatMap(({ warnings }) => warnings.map(saidBy)),
    untold: [...untold].sort(),
  };
}

function saidBy({ policy, message }: Finding): Said {
  return { policy, message };
}

function changeOf(old: ReplayedAnswer, now: ReplayedAnswer): ReplayChange {
  if (old.isAllowed !== now.isAllowed) return now.isAllowed ? "allowed" : "denied";
  const isSame = (a: readonly Said[], b: readonly Said[]): boolean => textOf(a) === textOf(b);
  return isSame(old.denials, now.denials) && isSame(old.warnings, now.warnings) ? "none" : "message";
}

/** Which policy says it is not what whoever asks is told: renaming one is no change, its words are. */
function textOf(said: readonly Said[]): string {
  return JSON.stringify(said.map(({ policy, message }) => message.replace(`"${policy}"`, '""')).sort());
}

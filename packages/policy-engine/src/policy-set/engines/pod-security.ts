import { judgePod, malformed } from "../../pod-security/evaluate.ts";
import { exemptionGround, type PodSecurityExemptions } from "../../pod-security/exemptions.ts";
import type { PodSecurityLevel } from "../../pod-security/levels.ts";
import { podCarriers } from "../../pod-security/workload.ts";
import {
  type Judge,
  type Judgement,
  noAnnotations,
  outOfTime,
  passes,
  type Violation,
} from "../judgement.ts";
import type { Question } from "../question.ts";

export interface PodSecurityTerms {
  readonly level: PodSecurityLevel;
  /** The edition of the standards, `latest` resolved. */
  readonly minor: number;
  /** `restricted:latest`, as in messages. */
  readonly basis: string;
  readonly exemptions: PodSecurityExemptions | undefined;
}

const carriers = new Set(podCarriers.map(({ group, resource }) => `${group}/${resource}`));

/** What is a Pod, or carries a template of Pods. */
export function reachesPods(group: string, resource: string, subresource: string): boolean {
  if (subresource === "") return carriers.has(`${group}/${resource}`);
  return group === "" && resource === "pods" && subresource === "ephemeralcontainers";
}

/** The Pod Security Standards as one engine among others. */
export function podSecurityJudge(terms: PodSecurityTerms): Judge {
  return {
    basis: terms.basis,
    reaches: reachesPods,
    mustPass: (question) =>
      question.request.operation === "UPDATE" && (question.isBeingDeleted || question.isPodUnchanged),
    judge: (question) => judge(terms, question),
    describe: ({ checkId, detail }) => (detail === "" ? checkId : `${checkId} (${detail})`),
    partOf: (question) => question.pod?.path ?? "",
    hint: "See: kubectl explain shieldpolicy",
  };
}

function judge(terms: PodSecurityTerms, question: Question): Judgement {
  const ground = exemptionGround(terms.exemptions, {
    username: question.request.userInfo.username,
    namespace: question.namespace,
    runtimeClassName: question.reading.pod?.runtimeClassName,
  });
  if (ground !== undefined) return { kind: "exempt", ground };
  const violations = violationsOf(terms, question);
  if (violations === undefined) return outOfTime(question);
  if (violations.length === 0) return passes;
  return {
    kind: "breaks",
    violations,
    isMalformed: violations[0]?.checkId === "malformed",
    annotations: noAnnotations,
    statusReason: "Forbidden",
  };
}

/** Undefined when time ran out. Policies of one level and edition share the result. */
function violationsOf(terms: PodSecurityTerms, question: Question): readonly Violation[] | undefined {
  const { pod, problems } = question.reading;
  if (pod === undefined) return terms.level === "privileged" ? [] : [malformed(problems)];
  const key = `${terms.level}:${terms.minor}`;
  const known = question.podVerdicts.get(key);
  if (known !== undefined) return known;
  const verdict = judgePod(pod, terms.level, terms.minor, question.isLate);
  if (verdict !== undefined) question.podVerdicts.set(key, verdict.violations);
  return verdict?.violations;
}

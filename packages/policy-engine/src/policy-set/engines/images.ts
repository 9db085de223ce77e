import type { ImageCheck, ImagesAtHand } from "../../images/check.ts";
import { callFailed, examine, settle, shownImage } from "../../images/examine.ts";
import { newImagesOf, type PodImage, type PodImages } from "../../images/pod-images.ts";
import type { CompiledImages } from "../../images/rules.ts";
import { malformed } from "../../pod-security/evaluate.ts";
import {
  type Judge,
  type Judgement,
  noAnnotations,
  outOfTime,
  passes,
  type Unjudged,
  type Violation,
} from "../judgement.ts";
import type { Question } from "../question.ts";
import { reachesPods } from "./pod-security.ts";

/** Each is a question to a registry. */
const mostChecks = 64;

/** In the audit log. */
const mostAnnotated = 8;

/** Who must have signed images. */
export function imagesJudge(images: CompiledImages): Judge {
  return {
    basis: "",
    reaches: reachesPods,
    mustPass: (question) =>
      question.request.operation === "UPDATE" && (question.isBeingDeleted || isUnchanged(question)),
    judge: (question) => judge(images, question),
    describe: ({ detail }) => detail,
    partOf: (question) => question.pod?.path ?? "",
    hint: "See: kubectl explain shieldpolicy.spec.verifyImages",
  };
}

/** The images that the request brings. */
function newImages({ request }: Question): PodImages {
  return newImagesOf(request.object, request.operation === "UPDATE" ? request.oldObject : undefined);
}

function isUnchanged(question: Question): boolean {
  const { images, problems } = question.once(newImages);
  return images.length === 0 && problems.length === 0;
}

function judge(images: CompiledImages, question: Question): Judgement {
  const { images: found, problems } = question.once(newImages);
  if (problems.length > 0) return breaks([malformed(problems)], undefined, true);
  const so: Found = { asked: new Map(), violations: [], signed: [], unjudged: undefined };
  for (const image of found) {
    if (question.isLate()) return outOfTime(question);
    look(images, image, question.context.images, so);
  }
  const { asked, violations, signed, unjudged } = so;
  if (asked.size > mostChecks) {
    const problem = `it takes ${asked.size} questions to registries, more than ${mostChecks}: use fewer images`;
    return { kind: "fails", code: "EvaluationError", problem };
  }
  if (asked.size > 0) return { kind: "asks", checks: [...asked.values()] };
  if (violations.length > 0) return breaks(violations, unjudged, false);
  if (unjudged !== undefined) return { kind: "fails", ...unjudged };
  if (signed.length === 0) return passes;
  return { kind: "passes", annotations: new Map([["images", signed.slice(0, mostAnnotated)]]) };
}

/** What there is to say so far. */
interface Found {
  readonly asked: Map<string, ImageCheck>;
  readonly violations: Violation[];
  readonly signed: string[];
  unjudged: Unjudged | undefined;
}

function look(images: CompiledImages, image: PodImage, atHand: ImagesAtHand | undefined, found: Found): void {
  const shown = shownImage(image);
  const examined = examine(images, image);
  if (examined.kind === "unconcerned") return;
  if (examined.kind === "broken") {
    found.violations.push(violation(examined.rule, `${shown}: ${examined.problem}`));
    return;
  }
  const settled = settle(examined.checks, atHand);
  switch (settled.kind) {
    case "asks":
      for (const check of settled.checks) found.asked.set(check.key, check);
      return;
    case "unsigned":
      found.violations.push(violation(settled.rule, `${shown}: ${settled.problem} (rule "${settled.rule}")`));
      return;
    case "unknown":
      found.unjudged ??= callFailed(image, settled.problem);
      return;
    case "verified":
      found.signed.push(`${image.text}: ${settled.signers.join(", ")}`);
      if (images.pins && examined.image.digest === undefined)
        found.violations.push(violation("pinDigest", `${shown}: ${notPinned(settled.digest)}`));
      return;
    default:
      settled satisfies never;
  }
}

/** Only what comes round the mutating webhook: a tag is another image as soon as somebody moves it. */
function notPinned(digest: string): string {
  return `is signed, but by tag, and the digest was not put in: try again, or write @${digest}`;
}

function violation(checkId: string, detail: string): Violation {
  return { checkId, reason: "Forbidden", detail };
}

function breaks(
  violations: readonly Violation[],
  unjudged: Unjudged | undefined,
  isMalformed: boolean,
): Judgement {
  return {
    kind: "breaks",
    violations,
    unjudged,
    isMalformed,
    annotations: noAnnotations,
    statusReason: "Forbidden",
  };
}

/** What a policy has to say of one image before anything is asked of its registry. */
import type { ImageCheck, ImagesAtHand } from "./check.ts";
import type { PodImage } from "./pod-images.ts";
import {
  type ImageReference,
  ImageReferenceError,
  parseImageReference,
  shownReference,
} from "./reference.ts";
import type { CompiledImages, ImageRule } from "./rules.ts";

export type Examined =
  /** No rule is about it. */
  | { readonly kind: "unconcerned" }
  /** `rule` names what is broken. */
  | { readonly kind: "broken"; readonly rule: string; readonly problem: string }
  | { readonly kind: "asks"; readonly image: ImageReference; readonly checks: readonly ImageCheck[] };

export function examine(images: CompiledImages, { text }: PodImage): Examined {
  let image: ImageReference;
  try {
    image = parseImageReference(text);
  } catch (error) {
    if (!(error instanceof ImageReferenceError)) throw error;
    return { kind: "broken", rule: "reference", problem: error.message };
  }
  const rules = images.rules.filter(({ patterns }) => patterns.some((pattern) => pattern.matches(image)));
  const [first] = rules;
  if (first === undefined) {
    if (!images.refusesOthers) return { kind: "unconcerned" };
    const problem =
      "no rule is about it: name it in spec.verifyImages.rules, or let other images be (otherImages: Allow)";
    return { kind: "broken", rule: "otherImages", problem };
  }
  const registry = images.registries.get(image.registry);
  if (registry === undefined) {
    const problem = `registry ${image.registry} is not asked: list it in spec.verifyImages.registries`;
    return { kind: "broken", rule: first.name, problem };
  }
  const checkOf = (rule: ImageRule): ImageCheck => ({
    kind: "image",
    key: JSON.stringify([shownReference(image), rule.digest, registry.digest]),
    image,
    rule,
    registry,
    timeoutMs: images.timeoutMs,
  });
  return { kind: "asks", image, checks: rules.map(checkOf) };
}

/** What came of an image's checks, taken together: it has to keep all of its rules, and be one image to all of them. */
export type Settled =
  | { readonly kind: "asks"; readonly checks: readonly ImageCheck[] }
  /** `signers`: by whom, for each rule. */
  | { readonly kind: "verified"; readonly digest: string; readonly signers: readonly string[] }
  | { readonly kind: "unsigned"; readonly rule: string; readonly problem: string }
  | { readonly kind: "unknown"; readonly problem: string };

export function settle(checks: readonly ImageCheck[], atHand: ImagesAtHand | undefined): Settled {
  const found = checks.map((check) => ({ check, outcome: atHand?.lookUp(check) }));
  const open = found.flatMap(({ check, outcome }) => (outcome === undefined ? [check] : []));
  if (open.length > 0) return { kind: "asks", checks: open };
  for (const { check, outcome } of found)
    if (outcome?.kind === "unsigned") return { ...outcome, rule: check.rule.name };
  const unknown = found.find(({ outcome }) => outcome?.kind === "unknown")?.outcome;
  if (unknown?.kind === "unknown") return unknown;
  const verified = found.flatMap(({ check, outcome }) =>
    outcome?.kind === "verified" ? [{ ...outcome, rule: check.rule.name }] : [],
  );
  const [digest = "", ...others] = new Set(verified.map((outcome) => outcome.digest));
  if (others.length > 0)
    return { kind: "unknown", problem: "its tag moved while it was verified; try again" };
  return {
    kind: "verified",
    digest,
    signers: verified.map(({ signer, rule }) => `${signer} (rule "${rule}")`),
  };
}

/** For people: `image registry.example.com/web:1 (container "web")`. */
export function shownImage({ text, of }: PodImage): string {
  return `image ${text} (${of})`;
}

/** It could not be found out: failurePolicy decides. */
export function callFailed(image: PodImage, problem: string): { code: "CallFailed"; problem: string } {
  return { code: "CallFailed", problem: `${shownImage(image)}: ${problem}` };
}

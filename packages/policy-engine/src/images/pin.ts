/** Replaces tags by the digest that was verified, so that what runs is what was verified, whatever becomes of the tag. */
import { isJsonList, type Json, type JsonRecord } from "../cel/kubernetes/json.ts";
import type { Mutator } from "../mutation/mutator.ts";
import type { ImageCheck, ImagesAtHand } from "./check.ts";
import { callFailed, examine, type Settled, settle } from "./examine.ts";
import { newImagesOf, type PodImage } from "./pod-images.ts";
import { pinned } from "./reference.ts";
import type { CompiledImages } from "./rules.ts";

/** What is not signed is left as it is: the validation that follows says what is wrong with it. */
export function imagePinner(images: CompiledImages): Mutator {
  return {
    // What a later webhook injects is pinned, too.
    reinvocationPolicy: "IfNeeded",
    needsType: false,
    mutate({ request, context, isLate }, object) {
      const asked: ImageCheck[] = [];
      const pins: Pin[] = [];
      for (const image of newImagesOf(object, request.oldObject).images) {
        if (isLate()) return { kind: "fails", code: "DeadlineExceeded", problem: "time ran out; try again" };
        const settled = settledTag(images, image, context.images);
        if (settled?.kind === "unknown") return { kind: "fails", ...callFailed(image, settled.problem) };
        if (settled?.kind === "asks") asked.push(...settled.checks);
        if (settled?.kind === "verified") pins.push({ image, digest: settled.digest });
      }
      if (asked.length > 0) return { kind: "asks", checks: asked };
      if (pins.length === 0) return { kind: "unchanged" };
      return { kind: "changed", object: pins.reduce<Json>(withPin, object) as JsonRecord };
    },
  };
}

interface Pin {
  readonly image: PodImage;
  readonly digest: string;
}

/** Undefined for what is pinned already, or is nothing to be verified. */
function settledTag(
  images: CompiledImages,
  image: PodImage,
  atHand: ImagesAtHand | undefined,
): Settled | undefined {
  const examined = examine(images, image);
  if (examined.kind !== "asks" || examined.image.digest !== undefined) return undefined;
  return settle(examined.checks, atHand);
}

function withPin(json: Json, { image: { path, text }, digest }: Pin): Json {
  return withValue(json, path, pinned(text, digest));
}

/** A copy along the path alone: everything else is shared, for objects are frozen. */
function withValue(json: Json, path: readonly (string | number)[], value: string): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (isJsonList(json)) return json.map((item, at) => (at === key ? withValue(item, rest, value) : item));
  return Object.fromEntries(
    Object.entries(json as JsonRecord).map(([name, member]) => [
      name,
      name === key ? withValue(member, rest, value) : member,
    ]),
  );
}

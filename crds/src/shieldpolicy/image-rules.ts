/** Rules of `ShieldPolicy.spec` about engine images, each once in CEL for the API server and once in TypeScript. */
import type { Rule } from "../structural/server-check.ts";
import type { SpecFields } from "./spec.ts";

export const imageRules: readonly Rule<SpecFields>[] = [
  {
    rule: "self.engine != 'images' || has(self.verifyImages)",
    message: "engine images needs spec.verifyImages: say which images must be signed, and by whom",
    reason: "FieldValueRequired",
    fieldPath: ".verifyImages",
    holds: (spec) => spec.engine !== "images" || spec.verifyImages !== undefined,
  },
  {
    rule: "self.engine == 'images' || !has(self.verifyImages)",
    message: "belongs to engine images: remove it, or put it into a policy of its own with engine: images",
    reason: "FieldValueForbidden",
    fieldPath: ".verifyImages",
    holds: (spec) => spec.engine === "images" || spec.verifyImages === undefined,
  },
  {
    rule: "self.engine != 'images' || self.evaluation != 'Native'",
    message: "the API server asks no registry: use Auto or Webhook",
    fieldPath: ".evaluation",
    holds: (spec) => spec.engine !== "images" || spec.evaluation !== "Native",
  },
];

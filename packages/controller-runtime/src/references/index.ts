export type { KindReference, LabelSelectorLike } from "./plan.ts";
export * from "./referenced-objects.ts";
export { readSecretText, type SecretKey } from "./secret-text.ts";

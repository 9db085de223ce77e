export type { KindReference, LabelSelectorLike } from "./plan.ts";
export * from "./referenced-objects.ts";

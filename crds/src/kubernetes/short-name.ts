import { rule } from "../structural/server-check.ts";

/** As a label value: names of what labels and annotations refer to are no longer. */
export const MAX_NAME_LENGTH = 63;

/** Limits the name of an object of the kind. @param why ends the sentence that says so, for people */
export function shortName(kind: string, why = "") {
  return rule<{ metadata: { name: string } }>({
    rule: `size(self.metadata.name) <= ${MAX_NAME_LENGTH}`,
    message: `the name of a ${kind} has at most ${MAX_NAME_LENGTH} characters${why}: choose a shorter one`,
    holds: ({ metadata }) => metadata.name.length <= MAX_NAME_LENGTH,
  });
}

/** Why, of kinds whose names do become label values. */
export const AS_LABEL_VALUE = ", because it becomes a label value";

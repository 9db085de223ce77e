import { z } from "zod";

/**
 * A version of a policy that a webhook replica keeps in force because the newest does not compile. Replicas report
 * theirs, for who starts later cannot know what that version said.
 */
export interface KeptPolicy {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Of the calls that version needs; absent where the webhook is not called for it. */
  readonly failurePolicy?: "Fail" | "Ignore" | undefined;
}

/** Entries of one report: annotations of an object share 256 KiB. */
const most = 256;

const reportSchema = z.array(
  z.object({
    name: z.string(),
    uid: z.string(),
    generation: z.int(),
    failurePolicy: z.enum(["Fail", "Ignore"]).optional(),
  }),
);

/** As the annotation of a replica's Lease; undefined when there is nothing to say. */
export function formatKeptPolicies(kept: readonly KeptPolicy[]): string | undefined {
  return kept.length === 0 ? undefined : JSON.stringify(kept.slice(0, most));
}

/** Whatever stands there: what is no such report reports nothing. */
export function parseKeptPolicies(text: string | undefined): readonly KeptPolicy[] {
  if (text === undefined) return [];
  try {
    return reportSchema.safeParse(JSON.parse(text)).data ?? [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

import { z } from "zod";
import { fromJson } from "../from-json.ts";
import { MAX_FOUND, MAX_FOUND_MESSAGE, type RolloutCounts } from "../shieldpolicy/rollout-status.ts";

/** An object that a version refused, or would have. */
export interface FoundObject {
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly message: string;
}

/** What one process of the webhook counted of one turn of one rollout, since the process began it. */
export interface RolloutReport {
  /** uid of the ShieldPolicy. */
  readonly uid: string;
  readonly digest: string;
  readonly turn: number;
  readonly counts: RolloutCounts;
  /** How many different objects it refused, or would have. */
  readonly distinct: number;
  /** Some of them. */
  readonly objects: readonly FoundObject[];
  /** Requests found, by namespace: those with most. */
  readonly namespaces: readonly (readonly [namespace: string, found: number])[];
}

/** All rollouts that a process keeps: one that is listed is kept in that turn, whatever it counted. */
export interface RolloutReports {
  readonly process: string;
  readonly rollouts: readonly RolloutReport[];
}

/** Rollouts at once that replicas tell of: others wait. */
export const MAX_REPORTED_ROLLOUTS = 128;
/** For what was found, all rollouts together: annotations of an object share 256 KiB. */
const mostFoundBytes = 16_384;

const whole = z.int().min(0);
const schema = z.object({
  process: z.string().min(1).max(64),
  rollouts: z
    .array(
      z.tuple([
        z.string().min(1).max(128),
        z.string().max(64),
        whole,
        whole,
        whole,
        whole,
        whole,
        whole,
        whole,
      ]),
    )
    .max(MAX_REPORTED_ROLLOUTS),
  found: z
    .array(
      z.tuple([
        z.string().min(1).max(128),
        z
          .array(
            z.tuple([
              z.string().max(63),
              z.string().max(253),
              z.string().max(253),
              z.string().max(MAX_FOUND_MESSAGE),
            ]),
          )
          .max(MAX_FOUND),
        z.array(z.tuple([z.string().max(63), whole])).max(MAX_FOUND),
      ]),
    )
    .max(MAX_REPORTED_ROLLOUTS),
});

type Row = z.input<typeof schema>["rollouts"][number];
type FoundRow = z.input<typeof schema>["found"][number];

/** As the annotation of a replica's Lease, the first that fit; undefined when there is nothing to say. */
export function formatRolloutReports({ process, rollouts }: RolloutReports): string | undefined {
  if (rollouts.length === 0) return undefined;
  const told = rollouts.slice(0, MAX_REPORTED_ROLLOUTS);
  const budget = Math.floor(mostFoundBytes / told.length);
  const rows = told.map(({ uid, digest, turn, counts, distinct }): Row => {
    const { requests, denied, errors, slow, found } = counts;
    return [uid, digest, turn, requests, denied, errors, slow, found, distinct];
  });
  const found = told.flatMap((report): FoundRow[] => {
    if (report.objects.length === 0 && report.namespaces.length === 0) return [];
    return [foundRow(report, budget)];
  });
  return JSON.stringify({ process, rollouts: rows, found } satisfies z.input<typeof schema>);
}

/** As much as fits: namespaces are shorter, and say more. */
function foundRow({ uid, objects, namespaces }: RolloutReport, budget: number): FoundRow {
  let left = budget - uid.length - 10;
  const fits = (row: unknown): boolean => {
    left -= Buffer.byteLength(JSON.stringify(row)) + 1;
    return left >= 0;
  };
  const counted = namespaces
    .slice(0, MAX_FOUND)
    .map(([namespace, found]): [string, number] => [namespace, found])
    .filter(fits);
  const listed = objects
    .slice(0, MAX_FOUND)
    .map(({ namespace, kind, name, message }): FoundRow[1][number] => [
      namespace,
      kind,
      name,
      message.slice(0, MAX_FOUND_MESSAGE).toWellFormed(),
    ])
    .filter(fits);
  return [uid, listed, counted];
}

/** Whatever stands there: what is no such report counts nothing, and keeps no turn. */
export function parseRolloutReports(text: string | undefined): RolloutReports | undefined {
  const report = schema.safeParse(fromJson(text)).data;
  if (report === undefined) return undefined;
  const found = new Map(report.found.map(([uid, objects, namespaces]) => [uid, { objects, namespaces }]));
  const rollouts = report.rollouts.map(
    ([uid, digest, turn, requests, denied, errors, slow, counted, distinct]): RolloutReport => ({
      uid,
      digest,
      turn,
      counts: { requests, denied, errors, slow, found: counted },
      distinct,
      objects: (found.get(uid)?.objects ?? []).map(([namespace, kind, name, message]) => ({
        namespace,
        kind,
        name,
        message,
      })),
      namespaces: found.get(uid)?.namespaces ?? [],
    }),
  );
  return { process: report.process, rollouts };
}

import type { RolloutStatus } from "@shieldx/crds";
import { table } from "../output/table.ts";
import type { Terminal } from "../output/terminal.ts";
import { printable } from "../printable.ts";
import type { RolloutSeen } from "./read.ts";

/** What a person has to know of a rollout, one line each. */
export function rolloutLines({ policy, rollout, isPausedBySpec }: RolloutSeen): string[] {
  const { step, percent, since, until, counts, found, rollback, message, inForce } = rollout;
  const isOver = rollout.stage === "Full";
  const elsewhere = inForce === undefined ? "nothing is in force" : "the version before is in force";
  const acts =
    percent === 100
      ? "acts everywhere"
      : `acts in ${percent} % of namespaces; where it does not, ${elsewhere}`;
  const paused = isPausedBySpec
    ? "by spec.rollout.paused"
    : rollout.paused === true
      ? "by request"
      : undefined;
  return [
    `policy:   ${policy}`,
    `step:     ${step} since ${since}${until === undefined ? "" : `, due ${until}`}`,
    `version:  ${acts}`,
    ...(paused === undefined ? [] : [`paused:   ${paused}`]),
    ...(message === undefined ? [] : [`message:  ${message}`]),
    ...(rollback === undefined || rollback.message === message
      ? []
      : [`rollback: ${rollback.reason} in step ${rollback.from} at ${rollback.at}: ${rollback.message}`]),
    ...(counts === undefined || isOver ? [] : [`counts:   ${countsOf(counts)}`]),
    ...(found === undefined
      ? []
      : [`found:    refusals so far ${totalFound(found)}, see shieldctl policy diff ${policy}`]),
  ];
}

function countsOf({ requests, denied, errors, slow }: NonNullable<RolloutStatus["counts"]>): string {
  return `requests ${requests}, refused ${denied}, without a verdict ${errors}, too slow ${slow}`;
}

function totalFound({ namespaces, moreNamespaces = 0 }: NonNullable<RolloutStatus["found"]>): number {
  return namespaces.reduce((sum, { denied }) => sum + denied, moreNamespaces);
}

export function printRollout(seen: RolloutSeen, terminal: Terminal): void {
  for (const line of rolloutLines(seen)) terminal.out(`${printable(line)}\n`);
}

/** What the new version refuses, or would, and the one before does not have to. */
export function printDiff({ policy, rollout }: RolloutSeen, terminal: Terminal): void {
  const { found, step } = rollout;
  if (found === undefined) {
    const line = printable(`Nothing so far: ${policy} is in step ${step}.`);
    terminal.out(`${line}\n`);
    return;
  }
  const objects = found.objects.map(({ namespace = "-", kind, name, message }) => [
    namespace,
    kind,
    name,
    message,
  ]);
  terminal.out(table(["namespace", "kind", "name", "what is wrong"], objects));
  if (found.moreObjects !== undefined) terminal.out(`and at least ${found.moreObjects} more objects\n`);
  terminal.out("\n");
  const namespaces = found.namespaces.map(({ name, denied }) => [name === "" ? "-" : name, String(denied)]);
  terminal.out(table(["namespace", "refusals"], namespaces));
  if (found.moreNamespaces !== undefined)
    terminal.out(`and ${found.moreNamespaces} refusals in other namespaces\n`);
}

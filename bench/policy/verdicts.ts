import { type Answer, eachInLane, type Lanes } from "../lib/load.ts";
import { type Contestant, type ContestantName, namespaceOf } from "./contestants.ts";
import type { JudgedPod } from "./rules/rules.ts";

/**
 * Sends every Pod to every judge. Throws naming the first on which one of them differs from what the rules say, or
 * gives another reason: nothing unequal is measured.
 */
export async function compareVerdicts(
  lanes: Lanes,
  contestants: readonly Contestant[],
  pods: readonly JudgedPod[],
): Promise<{ judged: number; refused: number }> {
  // First those who let everything in: a Pod that no API server takes would tell nothing.
  for (const contestant of contestants.toSorted((a, b) => Number(a.isJudge) - Number(b.isJudge))) {
    await contestant.enter();
    await eachInLane(lanes.count, pods, async (judged, lane) => {
      const answer = await lanes.create(lane, namespaceOf(contestant.name), JSON.stringify(judged.pod));
      check(contestant, judged, answer);
    });
    await contestant.leave();
  }
  return { judged: pods.length, refused: pods.filter(({ breaks }) => breaks !== undefined).length };
}

function check({ name, isJudge }: Contestant, { name: pod, breaks }: JudgedPod, answer: Answer): void {
  const expected = isJudge && breaks !== undefined ? 403 : 201;
  if (answer.status !== expected) throw difference(name, pod, `${expected}`, answer);
  if (expected === 201 || breaks === undefined) return;
  const { message = "" } = JSON.parse(answer.body) as { message?: string };
  if (!message.includes(breaks.message)) throw difference(name, pod, `"${breaks.message}"`, answer);
}

function difference(name: ContestantName, pod: string, expected: string, answer: Answer): Error {
  return new Error(
    `${name}: ${pod}: expected ${expected}, got ${answer.status}: ${answer.body.slice(0, 1_000)}`,
  );
}

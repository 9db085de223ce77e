/**
 * Runs everybody `rounds` times in turn, so that whatever changes on the machine meanwhile meets all alike; each
 * round begins with another one, so that nobody always follows the same neighbour.
 */
export async function alternating<C extends string, R>(
  rounds: number,
  contestants: readonly C[],
  run: (contestant: C, round: number) => Promise<R>,
): Promise<Record<C, R[]>> {
  const results = Object.fromEntries(contestants.map((name) => [name, [] as R[]])) as Record<C, R[]>;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = contestants[(round + turn) % contestants.length];
      if (contestant !== undefined) results[contestant].push(await run(contestant, round));
    }
  }
  return results;
}

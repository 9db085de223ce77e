import { afterAll, beforeAll, describe, it } from "vitest";
import { type ElectionBed, electionBed } from "./bed.test-kit.ts";
import { type PartitionSize, partitionAll } from "./partitions.test-kit.ts";
import { type StallSize, stall } from "./stalled-leaders.test-kit.ts";
import { type TakeoverSize, takeOver } from "./takeover.test-kit.ts";

export interface ElectionsSize {
  readonly takeover: TakeoverSize;
  readonly stalls: StallSize;
  readonly partitions: PartitionSize;
  /** All at once: most of their time is waiting for Leases to lapse. */
  readonly isConcurrent: boolean;
}

/** Elections on a real API server, judged by what it was asked to write and when. */
export function electionsSuite({ takeover, stalls, partitions, isConcurrent }: ElectionsSize): void {
  describe("elections, as the API server sees them", () => {
    let bed: ElectionBed;
    beforeAll(async () => {
      bed = await electionBed();
    });
    afterAll(async () => {
      await bed?.[Symbol.asyncDispose]();
    });
    const test = isConcurrent ? it.concurrent : it;

    test("a process takes over in less than 17 s after kill -9 and 3 s after SIGTERM, counted to its first write", () =>
      takeOver(bed, takeover));

    test("a leader that stood still with requests queued begins no write after its successor took over", () =>
      stall(bed, stalls));

    test("two sides of a partition never write at once, and one of them leads when it is over", () =>
      partitionAll(bed, partitions));
  });
}

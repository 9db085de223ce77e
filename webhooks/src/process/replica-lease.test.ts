import { ApiError, type Client, type Lease, ManualClock, silentLogger } from "@shieldx/controller-runtime";
import { ANNOTATION } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { request, settle } from "./process.test-kit.ts";
import { ReplicaLease, type ReplicaReport } from "./replica-lease.ts";

describe("the replica's Lease", () => {
  function setUp() {
    const clock = new ManualClock();
    const written: Lease[] = [];
    const waiting: PromiseWithResolvers<void>[] = [];
    let holdsWrites = false;
    let deleted = 0;
    let report: ReplicaReport = { policySetDigest: "1", servingLeaf: "a" };
    const client = {
      async apply(_: unknown, lease: Lease) {
        written.push(lease);
        if (!holdsWrites) return;
        const write = Promise.withResolvers<void>();
        waiting.push(write);
        await write.promise;
      },
      async delete() {
        deleted++;
      },
    } as unknown as Client;
    const lease = new ReplicaLease({
      client,
      clock,
      logger: silentLogger,
      namespace: "n",
      replica: "r",
      report: () => report,
    });
    return {
      clock,
      written,
      waiting,
      lease,
      deleted: () => deleted,
      hold: (on: boolean) => {
        holdsWrites = on;
      },
      say: (said: ReplicaReport) => {
        report = said;
        lease.changed();
      },
    };
  }
  const annotationsOf = (lease: Lease | undefined) => lease?.metadata.annotations;

  it("tells who reports once what is said stands in it, and not where that failed", async () => {
    const bed = setUp();
    let stood = 0;
    const written = () => {
      stood++;
    };
    bed.hold(true);
    bed.say({ policySetDigest: "1", written });
    await settle();
    expect([bed.written.length, stood]).toEqual([1, 0]);
    bed.waiting[0]?.reject(new Error("lost"));
    await settle();
    expect(stood).toBe(0);
    bed.clock.advance(1_000);
    await settle();
    bed.waiting[1]?.resolve();
    await settle();
    expect([bed.written.length, stood]).toEqual([2, 1]);
  });

  it("is written at once, renewed every 10 s, and never two writes at a time", async () => {
    const bed = setUp();
    await bed.lease.publish();
    expect(annotationsOf(bed.written[0])).toEqual({
      [ANNOTATION.policySetDigest]: "1",
      [ANNOTATION.servingLeaf]: "a",
    });
    bed.hold(true);
    bed.say({ policySetDigest: "2", servingLeaf: "a" });
    bed.say({ policySetDigest: "3", servingLeaf: "b" });
    bed.say({ policySetDigest: "4", servingLeaf: "c", candidateLeaf: "d" });
    await settle();
    expect(bed.written).toHaveLength(2);
    bed.hold(false);
    bed.waiting[0]!.resolve();
    await settle();
    expect(bed.written).toHaveLength(3);
    expect(annotationsOf(bed.written[2])).toEqual({
      [ANNOTATION.policySetDigest]: "4",
      [ANNOTATION.servingLeaf]: "c",
      [ANNOTATION.candidateLeaf]: "d",
    });
    bed.clock.advance(9_999);
    await settle();
    expect(bed.written).toHaveLength(3);
    bed.clock.advance(1);
    await settle();
    expect(bed.written).toHaveLength(4);
  });

  it("is tried again a second after a failure, and publish tells its caller", async () => {
    const bed = setUp();
    bed.hold(true);
    const published = bed.lease.publish();
    await settle();
    bed.waiting[0]!.reject(new ApiError(request, 500, {}));
    await expect(published).rejects.toBeInstanceOf(ApiError);
    bed.clock.advance(1_000);
    await settle();
    expect(bed.written).toHaveLength(2);
    bed.waiting[1]!.reject(new ApiError(request, 500, {}));
    await settle();
    bed.hold(false);
    bed.clock.advance(1_000);
    await settle();
    expect(bed.written).toHaveLength(3);
  });

  it("is not written any more once removed", async () => {
    const bed = setUp();
    await bed.lease.publish();
    await bed.lease.remove();
    expect(bed.deleted()).toBe(1);
    bed.say({ servingLeaf: "z" });
    bed.clock.advance(60_000);
    await settle();
    expect(bed.written).toHaveLength(1);
  });
});

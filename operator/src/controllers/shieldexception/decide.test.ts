import type { ExceptionStanding } from "@shieldx/policy-engine";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideException, type ExceptionObservation, warningTimeMs } from "./decide.ts";

const DAY = 86_400_000;
const T0 = Date.parse("2026-01-01T00:00:00Z");
const END = T0 + 30 * DAY;
const honoured: ExceptionStanding = { honoured: true, until: END };
const refused: ExceptionStanding = { honoured: false, code: "NamespaceNotListed", message: "not from here" };

const observation = (
  standing: ExceptionStanding | undefined = honoured,
  over: Partial<ExceptionObservation> = {},
): ExceptionObservation => ({
  spec: { policies: ["p"], owner: "team-a", expiresAt: new Date(END).toISOString() },
  generation: 2,
  createdAtMs: T0,
  standings: [{ policy: "p", standing }],
  previous: undefined,
  unusedAfterMs: 7 * DAY,
  usage: {},
  ...over,
});
const reasonOf = (observed: ExceptionObservation, now: number) => {
  const ready = decideException(observed, now).status.conditions?.find(({ type }) => type === "Ready");
  return `${ready?.status} ${ready?.reason}`;
};

describe("decideException", () => {
  it("is active while every policy honours it", () => {
    const { status, announcements } = decideException(observation(), T0 + DAY);
    expect(status.policies).toEqual([{ name: "p", honoured: true }]);
    expect(reasonOf(observation(), T0 + DAY)).toBe("True Active");
    expect(announcements).toEqual([]);
  });

  it("says which policy does not honour it, and why", () => {
    expect(reasonOf(observation(refused), T0)).toBe("False NamespaceNotListed");
    expect(decideException(observation(refused), T0).status.policies).toEqual([
      { name: "p", honoured: false, message: "not from here" },
    ]);
    const unknown = observation(honoured, {
      standings: [
        { policy: "p", standing: honoured },
        { policy: "gone", standing: undefined },
      ],
    });
    expect(reasonOf(unknown, T0)).toBe("False UnknownPolicy");
    expect(decideException(unknown, T0).status.policies?.map((policy) => policy.honoured)).toEqual([
      true,
      false,
    ]);
  });

  it("stays what it was while a policy is only about to be there, and ends all the same", () => {
    const pending = { reason: "Compiling", message: "spec.rego.module: is being compiled" };
    const standings = [{ policy: "p", standing: undefined, pending }];
    for (const standing of [honoured, refused]) {
      const { status: previous } = decideException(observation(standing), T0);
      const { status } = decideException(observation(standing, { standings, previous }), T0 + DAY);
      expect(status).toEqual(previous);
    }
    expect(reasonOf(observation(honoured, { standings }), T0)).toBe("False Compiling");
    const { status: previous } = decideException(observation(), T0);
    expect(reasonOf(observation(honoured, { standings, previous, generation: 3 }), T0)).toBe(
      "False Compiling",
    );
    const over = decideException(observation(honoured, { standings, previous }), END);
    expect(reasonOf(observation(honoured, { standings, previous }), END)).toBe("False Expired");
    // Nothing is carried over from what had ended: its term is another now.
    expect(reasonOf(observation(honoured, { standings, previous: over.status }), END - 1)).toBe(
      "False Compiling",
    );
  });

  it("ends at the moment it names, says so once, and asks to be looked at then", () => {
    const before = decideException(observation(), END - 1);
    expect(before.requeueAfterMs).toBe(1);
    const after = decideException(observation(honoured, { previous: before.status }), END);
    expect(after.status.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      "Ready=False",
      "Expired=True",
    ]);
    expect(after.announcements).toMatchObject([{ reason: "Expired" }]);
    expect(after.requeueAfterMs).toBeUndefined();
    const later = decideException(observation(honoured, { previous: after.status }), END + DAY);
    expect(later.announcements).toEqual([]);
    expect(later.status).toEqual(after.status);
  });

  it("is announced ahead of its end", () => {
    const inUse = observation(honoured, { usage: { objects: 1 } });
    expect(warningTimeMs(T0, END)).toBe(END - 3 * DAY);
    expect(warningTimeMs(T0, T0 + 5 * 3_600_000)).toBe(T0 + 4 * 3_600_000);
    expect(decideException(inUse, END - 3 * DAY - 1).announcements).toEqual([]);
    expect(decideException(inUse, END - 3 * DAY - 1).requeueAfterMs).toBe(1);
    expect(decideException(inUse, END - 3 * DAY).announcements).toMatchObject([{ reason: "ExpiresSoon" }]);
  });

  it("writes nothing new while nothing changes, at any time", () => {
    const standing = fc.constantFrom(honoured, refused, undefined);
    fc.assert(
      fc.property(
        standing,
        fc.integer({ min: -DAY, max: 60 * DAY }),
        fc.nat({ max: DAY }),
        (found, at, wait) => {
          const now = T0 + at;
          const first = decideException(observation(found), now);
          const until = Math.min(wait, (first.requeueAfterMs ?? Number.POSITIVE_INFINITY) - 1);
          const second = decideException(
            observation(found, { previous: first.status }),
            now + Math.max(0, until),
          );
          expect(second.status).toEqual(first.status);
        },
      ),
    );
  });
});

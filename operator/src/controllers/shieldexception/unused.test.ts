import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideException, type ExceptionObservation } from "./decide.ts";

const DAY = 86_400_000;
const T0 = Date.parse("2026-01-01T00:00:00Z");
const END = T0 + 30 * DAY;
const standing = { honoured: true, until: END } as const;
const observation = (over: Partial<ExceptionObservation> = {}): ExceptionObservation => ({
  spec: { policies: ["p"], owner: "team-a", expiresAt: new Date(END).toISOString() },
  generation: 2,
  createdAtMs: T0,
  standings: [{ policy: "p", standing }],
  previous: undefined,
  usage: {},
  unusedAfterMs: 7 * DAY,
  ...over,
});
const unused = (over: Partial<ExceptionObservation>, now: number) =>
  decideException(observation(over), now).status.conditions?.find(({ type }) => type === "Unused");
const said = (over: Partial<ExceptionObservation>, now: number) => {
  const found = unused(over, now);
  return found && `${found.status} ${found.reason}`;
};

describe("condition Unused", () => {
  it("waits a week from its making, from its last use, or while an object needs it", () => {
    expect(said({}, T0 + 7 * DAY - 1)).toBe("False RecentlyNeeded");
    expect(said({}, T0 + 7 * DAY)).toBe("True Unused");
    const usage = { lastUsed: "2026-01-05T00:00:00Z", count: 3 };
    expect(said({ usage }, T0 + 11 * DAY - 1)).toBe("False RecentlyNeeded");
    expect(said({ usage }, T0 + 11 * DAY)).toBe("True Unused");
    expect(said({ usage: { ...usage, objects: 2 } }, T0 + 29 * DAY)).toBe("False Needed");
    expect(decideException(observation(), T0 + 7 * DAY - 1).requeueAfterMs).toBe(1);
  });

  it("is told once, and again after it has been needed", () => {
    const first = decideException(observation(), T0 + 8 * DAY);
    expect(first.announcements).toMatchObject([{ reason: "Unused" }]);
    expect(first.announcements[0]?.note).toContain("(owner: team-a)");
    const second = decideException(observation({ previous: first.status }), T0 + 9 * DAY);
    expect(second.announcements).toEqual([]);
    expect(second.status).toEqual(first.status);
  });

  it("says nothing before the audit has been through, and keeps what was said before", () => {
    expect(said({ usage: undefined }, T0 + 20 * DAY)).toBeUndefined();
    const { status: previous } = decideException(observation(), T0 + 8 * DAY);
    expect(said({ usage: undefined, previous }, T0 + 20 * DAY)).toBe("True Unused");
  });

  it("says nothing of one that has expired", () => {
    expect(said({}, END)).toBeUndefined();
  });

  it("claims nothing that nobody can see, and says what only the audit sees", () => {
    const seen = (webhook: boolean, audit: boolean) => ({
      standings: [{ policy: "p", standing, seenBy: { webhook, audit } }],
    });
    expect(said(seen(false, false), T0 + 20 * DAY)).toBe("Unknown NotObserved");
    expect(unused(seen(false, false), T0)?.message).toContain('ShieldPolicy "p"');
    expect(unused(seen(false, false), T0)?.message).toContain("actions.background: audit");
    expect(unused(seen(false, true), T0 + 20 * DAY)?.message).toContain(
      'only existing objects tell for ShieldPolicy "p"',
    );
    expect(said(seen(true, false), T0 + 20 * DAY)).toBe("True Unused");
    expect(unused(seen(true, false), T0 + 20 * DAY)?.message).not.toContain("only existing");
  });
});

describe("a clock that jumps", () => {
  const states = (now: number, previous?: ExceptionObservation["previous"]) =>
    decideException(observation({ previous }), now).status.conditions?.map(
      ({ type, status, reason, message }) => ({ type, status, reason, message }),
    );

  it("decides by what it shows now, whatever it showed before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -10_000 * DAY, max: 100_000 * DAY }),
        fc.integer({ min: -10_000 * DAY, max: 100_000 * DAY }),
        (away, back) => {
          const { status } = decideException(observation(), T0 + away);
          expect(states(T0 + back, status)).toEqual(states(T0 + back));
        },
      ),
    );
  });

  it("far ahead ends the exception, and holds it again when the clock is right", () => {
    const ahead = decideException(observation(), T0 + 36_500 * DAY);
    expect(ahead.status.policies).toMatchObject([{ honoured: false }]);
    expect(ahead.announcements).toMatchObject([{ reason: "Expired" }]);
    const back = decideException(observation({ previous: ahead.status }), T0 + DAY);
    expect(back.status.policies).toEqual([{ name: "p", honoured: true }]);
    expect(back.announcements).toEqual([]);
  });

  it("behind the exception's making lets it live no longer than it says, and neither warns nor calls it unused", () => {
    const early = decideException(observation({ createdAtMs: T0 }), T0 - 1_000 * DAY);
    expect(early.announcements).toEqual([]);
    expect(early.status.conditions?.map(({ status }) => status)).toEqual(["True", "False", "False"]);
  });

  it("is looked at every minute, for timers do not jump with it", () => {
    expect(decideException(observation(), T0).requeueAfterMs).toBe(60_000);
    expect(decideException(observation(), T0 - 10_000 * DAY).requeueAfterMs).toBe(60_000);
  });
});

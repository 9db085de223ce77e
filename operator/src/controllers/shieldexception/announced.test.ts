import { describe, expect, it } from "vitest";
import { Announced } from "./announced.ts";
import { decideException } from "./decide.ts";

const DAY = 86_400_000;
const T0 = Date.parse("2026-11-01T00:00:00Z");
const at = (day: number) => new Date(T0 + day * DAY).toISOString();

/** Lives one day after the other, as the reconciler does; Events by the day on which they came. */
function living() {
  const announced = new Announced();
  let previous: Parameters<typeof decideException>[0]["previous"];
  const events: string[] = [];
  const look = (day: number, endDay: number) => {
    const expiresAt = at(endDay);
    const decision = decideException(
      {
        spec: { policies: ["p"], owner: "team", expiresAt },
        generation: 1,
        createdAtMs: T0,
        standings: [{ policy: "p", standing: { honoured: true, until: T0 + endDay * DAY } }],
        previous,
        usage: { objects: 1 },
        unusedAfterMs: 7 * DAY,
      },
      T0 + day * DAY,
    );
    previous = decision.status;
    for (const { reason } of announced.take("u", decision, { expiresAt })) events.push(`${day} ${reason}`);
  };
  return { look, events };
}

describe("Events about the end of an exception", () => {
  it("come once each", () => {
    const { look, events } = living();
    for (let day = 1; day < 14; day++) look(day, 10);
    expect(events).toEqual(["8 ExpiresSoon", "10 Expired"]);
  });

  it("come again for the later end it was given", () => {
    const { look, events } = living();
    for (let day = 1; day < 9; day++) look(day, 10);
    for (let day = 9; day < 30; day++) look(day, 27);
    expect(events).toEqual(["8 ExpiresSoon", "24 ExpiresSoon", "27 Expired"]);
  });

  it("come again where it was renewed after its end", () => {
    const { look, events } = living();
    for (let day = 9; day < 13; day++) look(day, 11);
    for (let day = 13; day < 30; day++) look(day, 27);
    expect(events).toEqual(["9 ExpiresSoon", "11 Expired", "24 ExpiresSoon", "27 Expired"]);
  });

  it("come at the right time after a clock was ahead once", () => {
    const { look, events } = living();
    look(1, 27);
    look(1_000, 27);
    for (let day = 2; day < 30; day++) look(day, 27);
    expect(events).toEqual(["1000 Expired", "24 ExpiresSoon", "27 Expired"]);
  });
});

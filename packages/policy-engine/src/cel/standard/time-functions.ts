import type { FunctionDeclaration, Overload } from "../library.ts";
import { DURATION, INT, STRING, TIMESTAMP } from "../types.ts";
import { type CelDuration, type CelTimestamp, type CelValue, makeInt } from "../values.ts";
import { type WallClock, wallClock } from "./time.ts";
import { zoneOffsetSeconds } from "./time-zone.ts";

const MILLISECOND = 1_000_000n;

function getter(
  name: string,
  what: string,
  read: (clock: WallClock, timestamp: CelTimestamp) => number,
): Overload[] {
  const call = (value: CelValue, zone: CelValue): CelValue => {
    const timestamp = value as CelTimestamp;
    return read(wallClock(timestamp, zoneOffsetSeconds(zone as string, timestamp)), timestamp);
  };
  // Upstream left "with" out of this one id.
  const withZone = name === "getSeconds" ? "timestamp_to_seconds_tz" : `timestamp_to_${what}_with_tz`;
  return [
    {
      id: `timestamp_to_${what}`,
      isMember: true,
      params: [TIMESTAMP],
      result: INT,
      call: (value) => call(value, "UTC"),
    },
    { id: withZone, isMember: true, params: [TIMESTAMP, STRING], result: INT, call },
  ];
}

function ofDuration(what: string, unit: bigint): Overload {
  return {
    id: `duration_to_${what}`,
    isMember: true,
    params: [DURATION],
    result: INT,
    call: (value) => makeInt((value as CelDuration).nanoseconds / unit),
  };
}

/** Getters of timestamps (UTC unless a zone is given) and durations (in whole units, rounded towards zero). */
export const TIME_FUNCTIONS: readonly FunctionDeclaration[] = [
  { name: "getFullYear", overloads: getter("getFullYear", "year", (clock) => clock.year) },
  { name: "getMonth", overloads: getter("getMonth", "month", (clock) => clock.month) },
  { name: "getDayOfYear", overloads: getter("getDayOfYear", "day_of_year", (clock) => clock.dayOfYear) },
  { name: "getDayOfMonth", overloads: getter("getDayOfMonth", "day_of_month", (clock) => clock.day - 1) },
  { name: "getDate", overloads: getter("getDate", "day_of_month_1_based", (clock) => clock.day) },
  { name: "getDayOfWeek", overloads: getter("getDayOfWeek", "day_of_week", (clock) => clock.dayOfWeek) },
  {
    name: "getHours",
    overloads: [
      ...getter("getHours", "hours", (clock) => clock.hours),
      ofDuration("hours", 3_600_000n * MILLISECOND),
    ],
  },
  {
    name: "getMinutes",
    overloads: [
      ...getter("getMinutes", "minutes", (clock) => clock.minutes),
      ofDuration("minutes", 60_000n * MILLISECOND),
    ],
  },
  {
    name: "getSeconds",
    overloads: [
      ...getter("getSeconds", "seconds", (clock) => clock.seconds),
      ofDuration("seconds", 1000n * MILLISECOND),
    ],
  },
  {
    name: "getMilliseconds",
    overloads: [
      ...getter("getMilliseconds", "milliseconds", (_clock, timestamp) => Math.floor(timestamp.nanos / 1e6)),
      ofDuration("milliseconds", MILLISECOND),
    ],
  },
];

import { CelError } from "../errors.ts";
import { CelDuration, CelTimestamp, INT_MAX, INT_MIN } from "../values.ts";

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in Unix seconds: the range of timestamps (specification, "Timestamps"). */
export const MIN_SECONDS = -62_135_596_800;
export const MAX_SECONDS = 253_402_300_799;
const NANOS = 1_000_000_000n;

/** Throws "timestamp overflow" outside the years 1 to 9999. */
export function makeTimestamp(seconds: number, nanos: number, offsetSeconds = 0): CelTimestamp {
  if (!(seconds >= MIN_SECONDS && seconds <= MAX_SECONDS)) throw new CelError("timestamp overflow");
  return new CelTimestamp(seconds, nanos, offsetSeconds);
}

/** Throws "integer overflow", as cel-go does, outside the range of an int64 of nanoseconds. */
export function makeDuration(nanoseconds: bigint): CelDuration {
  if (nanoseconds < INT_MIN || nanoseconds > INT_MAX) throw new CelError("integer overflow");
  return new CelDuration(nanoseconds);
}

export const addDurations = (a: CelDuration, b: CelDuration): CelDuration =>
  makeDuration(a.nanoseconds + b.nanoseconds);

export const subtractDurations = (a: CelDuration, b: CelDuration): CelDuration =>
  makeDuration(a.nanoseconds - b.nanoseconds);

export const negateDuration = (duration: CelDuration): CelDuration => makeDuration(-duration.nanoseconds);

export function addToTimestamp(timestamp: CelTimestamp, nanoseconds: bigint): CelTimestamp {
  const total = BigInt(timestamp.seconds) * NANOS + BigInt(timestamp.nanos) + nanoseconds;
  const nanos = ((total % NANOS) + NANOS) % NANOS;
  return makeTimestamp(Number((total - nanos) / NANOS), Number(nanos), timestamp.offsetSeconds);
}

export function subtractTimestamps(a: CelTimestamp, b: CelTimestamp): CelDuration {
  return makeDuration(BigInt(a.seconds - b.seconds) * NANOS + BigInt(a.nanos - b.nanos));
}

const RFC3339 =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?(Z|([+-])([0-9]{2}):([0-9]{2}))$/;

/** Go's time.Parse(time.RFC3339, text); undefined for what it would not read. Throws "timestamp overflow". */
export function parseTimestamp(text: string): CelTimestamp | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const field = (index: number): number => Number(match[index] ?? "0");
  const [year, month, day, hour, minute, second] = [
    field(1),
    field(2),
    field(3),
    field(4),
    field(5),
    field(6),
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || field(10) > 24 || field(11) > 59) return undefined;
  const offsetSeconds = (field(10) * 3600 + field(11) * 60) * (match[9] === "-" ? -1 : 1);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offsetSeconds;
  const nanos = Number((match[7] ?? "").slice(0, 9).padEnd(9, "0"));
  return makeTimestamp(seconds, nanos, offsetSeconds);
}

function daysIn(year: number, month: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month, 0);
  return date.getUTCDate();
}

/** Go's RFC3339Nano: fraction without trailing zeros, in the zone the timestamp was written in. */
export function formatTimestamp(timestamp: CelTimestamp): string {
  const { nanos, offsetSeconds } = timestamp;
  const wall = new Date((timestamp.seconds + offsetSeconds) * 1000).toISOString().slice(0, 19);
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  if (offsetSeconds === 0) return `${wall}${fraction}Z`;
  const minutes = Math.abs(offsetSeconds) / 60;
  const two = (value: number): string => String(Math.trunc(value)).padStart(2, "0");
  return `${wall}${fraction}${offsetSeconds < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** What the getters of a timestamp read, in some time zone. */
export interface WallClock {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  /** From 1. */
  readonly day: number;
  /** From 0 on January 1st. */
  readonly dayOfYear: number;
  /** From 0 on Sunday. */
  readonly dayOfWeek: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

/** The clock at a number of seconds east of UTC. */
export function wallClock(timestamp: CelTimestamp, offsetSeconds: number): WallClock {
  const date = new Date((timestamp.seconds + offsetSeconds) * 1000);
  const newYear = new Date(0);
  newYear.setUTCFullYear(date.getUTCFullYear(), 0, 1);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    dayOfYear: Math.floor((date.getTime() - newYear.getTime()) / 86_400_000),
    dayOfWeek: date.getUTCDay(),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds(),
  };
}

/**
 * Bounds what one evaluation touches and makes. cel-go's costs (frame.ts) are what the API server counts, and stay as
 * they are, but they leave much out: `+` of lists is free there, a text is read anew by every call, an equality of two
 * objects costs as much as their number of fields. Work is counted deep inside values, where the frame is out of sight;
 * evaluation is synchronous, so the meter that counts is simply that of the innermost evaluation that runs.
 */
import { CelDeadlineError, CelWorkError } from "./errors.ts";
import { CelOpaque, type CelValue } from "./values.ts";

/**
 * Most units that one evaluation may spend: a unit is an element looked at or 16 characters read, 25 to 50 ns, so that
 * the whole is 0.1 to 0.2 s and less than 100 MB. A policy on an object of 1 MB comes nowhere near it.
 */
export const MAX_WORK = 4_000_000;

/** Units between two looks at the clock. */
const UNITS_PER_LOOK = 10_000;

/** Characters of a string, or bytes, that are a unit to whatever reads or makes them whole. */
const CHARACTERS_PER_UNIT = 16;

export class WorkMeter {
  isLate: (() => boolean) | undefined;
  #nextLook = UNITS_PER_LOOK;
  units = 0;

  constructor(isLate: (() => boolean) | undefined) {
    this.isLate = isLate;
  }

  /** Begins to count anew. */
  protected recount(isLate: (() => boolean) | undefined): void {
    this.isLate = isLate;
    this.#nextLook = UNITS_PER_LOOK;
    this.units = 0;
  }

  spend(units: number): void {
    this.units += units;
    if (this.units < this.#nextLook) return;
    if (this.units > MAX_WORK) throw new CelWorkError();
    this.#nextLook = this.units + UNITS_PER_LOOK;
    if (this.isLate?.() === true) throw new CelDeadlineError();
  }
}

let current: WorkMeter | undefined;

/** Has all work counted by this meter from now on. Returns the one to go back to, which the caller must do. */
export function countWith(meter: WorkMeter | undefined): WorkMeter | undefined {
  const outer = current;
  current = meter;
  return outer;
}

/** Counts work that is about to be done. Throws `CelAbort` when it is too much, or too late. Free outside evaluations. */
export function spend(units: number): void {
  current?.spend(units);
}

/** What it takes to read a string or bytes of this length, or to make one. */
export const textWork = (length: number): number => length / CHARACTERS_PER_UNIT;

/** What it takes to go through a value once, without what its elements hold. Maps count where their keys are listed. */
export function workOf(value: CelValue | undefined): number {
  if (typeof value === "string") return textWork(value.length);
  if (typeof value !== "object" || value === null) return 0;
  if (Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return textWork(value.length);
  return value instanceof CelOpaque ? value.work : 0;
}

/** Reads the elements of a time layout out of a text, one after another (package time, format.go). */
import { isDigit, skipDigits } from "./number-text.ts";
import { dayNames, type Element, monthNames, type OffsetStyle } from "./time-layout.ts";

/** A value does not fit the element it should be; `rangeOf` names the field when it is a number out of range. */
export class Mismatch extends Error {
  readonly rangeOf: string | undefined;
  constructor(rangeOf?: string) {
    super(rangeOf === undefined ? "bad value" : `${rangeOf} out of range`);
    this.rangeOf = rangeOf;
  }
}

export interface Fields {
  year: number;
  month: number | undefined;
  day: number | undefined;
  yearDay: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanosecond: number;
  pm: boolean;
  am: boolean;
  offsetSeconds: number | undefined;
}

export class TimeReader {
  readonly #value: string;
  at = 0;
  readonly fields: Fields = {
    year: 0,
    month: undefined,
    day: undefined,
    yearDay: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    pm: false,
    am: false,
    offsetSeconds: undefined,
  };

  constructor(value: string) {
    this.#value = value;
  }

  rest(from = this.at): string {
    return this.#value.slice(from);
  }

  #digit(offset = 0): boolean {
    return isDigit(this.#value.charCodeAt(this.at + offset));
  }

  #take(length: number): string {
    if (this.at + length > this.#value.length) {
      throw new Mismatch();
    }
    const text = this.#value.slice(this.at, this.at + length);
    this.at += length;
    return text;
  }

  #digits(length: number): number {
    const text = this.#take(length);
    if (skipDigits(text, 0) !== length) {
      throw new Mismatch();
    }
    return Number(text);
  }

  /** One or two digits; two when `fixed`. */
  #number(fixed: boolean): number {
    if (!this.#digit()) {
      throw new Mismatch();
    }
    if (this.#digit(1)) {
      return this.#digits(2);
    }
    if (fixed) {
      throw new Mismatch();
    }
    return this.#digits(1);
  }

  #ranged(value: number, low: number, high: number, field: string): number {
    if (value < low || value > high) {
      throw new Mismatch(field);
    }
    return value;
  }

  #skipSpace(): void {
    if (this.#value[this.at] === " ") {
      this.at += 1;
    }
  }

  /** Layout text between elements: any run of spaces fits any other. */
  literal(text: string): void {
    let index = 0;
    while (index < text.length) {
      if (text[index] === " ") {
        if (this.at < this.#value.length && this.#value[this.at] !== " ") {
          throw new Mismatch();
        }
        while (text[index] === " ") {
          index += 1;
        }
        while (this.#value[this.at] === " ") {
          this.at += 1;
        }
      } else if (this.#value[this.at] === text[index]) {
        index += 1;
        this.at += 1;
      } else {
        throw new Mismatch();
      }
    }
  }

  #name(names: readonly string[], length?: number): number {
    for (const [index, full] of names.entries()) {
      const name = length === undefined ? full : full.slice(0, length);
      const found = this.#value.slice(this.at, this.at + name.length);
      if (found.toLowerCase() === name.toLowerCase()) {
        this.at += name.length;
        return index;
      }
    }
    throw new Mismatch();
  }

  #yearDay(fixed: boolean): number {
    if (!fixed) {
      this.#skipSpace();
      this.#skipSpace();
    }
    const width = Math.min(3, skipDigits(this.#value, this.at) - this.at);
    if (width === 0 || (fixed && width !== 3)) {
      throw new Mismatch();
    }
    return this.#digits(width);
  }

  /** Two characters, of which Go lets the first be a sign. */
  #signedYear(): number {
    const sign = this.#value[this.at];
    if (sign !== "-" && sign !== "+") {
      return this.#digits(2);
    }
    this.at += 1;
    return this.#digits(1) * (sign === "-" ? -1 : 1);
  }

  #half(upper: boolean): void {
    const text = this.#take(2);
    const [morning, evening] = upper ? ["AM", "PM"] : ["am", "pm"];
    if (text !== morning && text !== evening) {
      throw new Mismatch();
    }
    this.fields.pm = text === evening;
    this.fields.am = text === morning;
  }

  #point(): boolean {
    const character = this.#value[this.at];
    return character === "." || character === ",";
  }

  /** A point and some digits; those beyond the ninth are dropped. */
  #fraction(length: number): number {
    if (!this.#point()) {
      throw new Mismatch();
    }
    const text = this.#take(length).slice(1, 10);
    if (skipDigits(text, 0) !== text.length || text === "") {
      throw new Mismatch();
    }
    return Number(text.padEnd(9, "0"));
  }

  #fractionElement(element: Element & { kind: "fraction" }): void {
    if (!element.trim) {
      this.fields.nanosecond = this.#fraction(element.digits + 1);
    } else if (this.#point() && this.#digit(1)) {
      this.fields.nanosecond = this.#fraction(skipDigits(this.#value, this.at + 1) - this.at);
    }
  }

  /** Seconds may have a fraction the layout does not name. */
  #second(zero: boolean, next: Element | undefined): void {
    this.fields.second = this.#ranged(this.#number(zero), 0, 59, "second");
    if (this.#point() && this.#digit(1) && next?.kind !== "fraction") {
      this.fields.nanosecond = this.#fraction(skipDigits(this.#value, this.at + 1) - this.at);
    }
  }

  #colon(style: OffsetStyle): void {
    if (style.colon && this.#take(1) !== ":") {
      throw new Mismatch();
    }
  }

  #offset(style: OffsetStyle): void {
    if (style.z && this.#value[this.at] === "Z") {
      this.at += 1;
      this.fields.offsetSeconds = 0;
      return;
    }
    const sign = this.#take(1);
    const hours = this.#digits(2);
    let minutes = 0;
    let seconds = 0;
    if (style.minutes) {
      this.#colon(style);
      minutes = this.#digits(2);
    }
    if (style.seconds) {
      this.#colon(style);
      seconds = this.#digits(2);
    }
    this.#ranged(hours, 0, 24, "time zone offset hour");
    this.#ranged(minutes, 0, 60, "time zone offset minute");
    this.#ranged(seconds, 0, 60, "time zone offset second");
    if (sign !== "+" && sign !== "-") {
      throw new Mismatch();
    }
    const offset = (hours * 60 + minutes) * 60 + seconds;
    this.fields.offsetSeconds = sign === "-" ? -offset : offset;
  }

  /** An abbreviation. Only UTC has a meaning here; any other is read and the time taken as it stands. */
  #zone(): void {
    const rest = this.rest();
    if (rest.startsWith("UTC")) {
      this.at += 3;
      this.fields.offsetSeconds = 0;
      return;
    }
    const length = zoneLength(rest);
    if (length === 0) {
      throw new Mismatch();
    }
    this.at += length;
  }

  element(element: Element, next: Element | undefined): void {
    if (!this.#clock(element, next)) {
      this.#date(element);
    }
  }

  #clock(element: Element, next: Element | undefined): boolean {
    const fields = this.fields;
    switch (element.kind) {
      case "hour":
        fields.hour = this.#ranged(this.#number(false), 0, 23, "hour");
        return true;
      case "hour12":
        fields.hour = this.#ranged(this.#number(element.zero), 0, 12, "hour");
        return true;
      case "minute":
        fields.minute = this.#ranged(this.#number(element.zero), 0, 59, "minute");
        return true;
      case "second":
        this.#second(element.zero, next);
        return true;
      case "pm":
      case "lowerPm":
        this.#half(element.kind === "pm");
        return true;
      case "fraction":
        this.#fractionElement(element);
        return true;
      case "zone":
        this.#zone();
        return true;
      case "offset":
        this.#offset(element.style);
        return true;
      default:
        return false;
    }
  }

  #date(element: Element): void {
    const fields = this.fields;
    switch (element.kind) {
      case "year": {
        const year = this.#signedYear();
        fields.year = year + (year >= 69 ? 1900 : 2000);
        return;
      }
      case "longYear":
        fields.year = this.#digits(4);
        return;
      case "month":
        fields.month = this.#name(monthNames, 3) + 1;
        return;
      case "longMonth":
        fields.month = this.#name(monthNames) + 1;
        return;
      case "numericMonth":
        fields.month = this.#ranged(this.#number(element.zero), 1, 12, "month");
        return;
      case "weekday":
        this.#name(dayNames, 3);
        return;
      case "longWeekday":
        this.#name(dayNames);
        return;
      case "spacedDay":
        this.#skipSpace();
        fields.day = this.#number(false);
        return;
      case "day":
        fields.day = this.#number(element.zero);
        return;
      case "spacedYearDay":
      case "zeroYearDay":
        fields.yearDay = this.#yearDay(element.kind === "zeroYearDay");
        return;
      default:
        return;
    }
  }
}

/** How long an offset such as "+3" is; hours only, up to 23. */
function signedOffsetLength(text: string): number {
  if (text[0] !== "+" && text[0] !== "-") {
    return 0;
  }
  const end = skipDigits(text, 1);
  return end > 1 && end < 12 && Number(text.slice(1, end)) <= 23 ? end : 0;
}

/** How long a zone abbreviation at the start of a text is; 0 when there is none. */
function zoneLength(text: string): number {
  if (text.length < 3) {
    return 0;
  }
  if (text.startsWith("ChST") || text.startsWith("MeST")) {
    return 4;
  }
  if (text.startsWith("GMT")) {
    return 3 + signedOffsetLength(text.slice(3));
  }
  if (text[0] === "+" || text[0] === "-") {
    return signedOffsetLength(text);
  }
  let upper = 0;
  while (upper < 6 && text.charCodeAt(upper) >= 0x41 && text.charCodeAt(upper) <= 0x5a) {
    upper += 1;
  }
  if (upper === 3) {
    return 3;
  }
  const named = upper === 4 && (text[3] === "T" || text.startsWith("WITA"));
  return named || (upper === 5 && text[4] === "T") ? upper : 0;
}

/** Go's time.Parse: a text by a layout, with Go's errors (package time, format.go). */
import { type Civil, daysBefore, daysIn, instantOf, isLeapYear, nsPerSecond, utc } from "./civil-time.ts";
import { goQuote } from "./quote.ts";
import { layoutPieces } from "./time-layout.ts";
import { type Fields, Mismatch, TimeReader } from "./time-reader.ts";

export class TimeParseError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TimeParseError";
  }
}

/** Month and day from a day of the year, which they must agree with when both are given. */
function dateOfYearDay(fields: Fields, yearDay: number): readonly [month: number, day: number] {
  let ordinal = yearDay;
  let month = 0;
  let day = 0;
  if (isLeapYear(fields.year)) {
    if (ordinal === 60) {
      month = 2;
      day = 29;
    } else if (ordinal > 60) {
      ordinal -= 1;
    }
  }
  if (ordinal < 1 || ordinal > 365) {
    throw new TimeParseError(": day-of-year out of range");
  }
  if (month === 0) {
    month = Math.floor((ordinal - 1) / 31) + 1;
    if (daysBefore(month + 1) < ordinal) {
      month += 1;
    }
    day = ordinal - daysBefore(month);
  }
  if (fields.month !== undefined && fields.month !== month) {
    throw new TimeParseError(": day-of-year does not match month");
  }
  if (fields.day !== undefined && fields.day !== day) {
    throw new TimeParseError(": day-of-year does not match day");
  }
  return [month, day];
}

function instant(fields: Fields): bigint {
  let hour = fields.hour;
  if (fields.pm && hour < 12) {
    hour += 12;
  } else if (fields.am && hour === 12) {
    hour = 0;
  }
  const [month, day] =
    fields.yearDay === undefined
      ? [fields.month ?? 1, fields.day ?? 1]
      : dateOfYearDay(fields, fields.yearDay);
  if (day < 1 || day > daysIn(month, fields.year)) {
    throw new TimeParseError(": day out of range");
  }
  const { year, minute, second, nanosecond } = fields;
  const civil: Civil = { year, month, day, hour, minute, second, nanosecond };
  return instantOf(civil, utc) - BigInt(fields.offsetSeconds ?? 0) * nsPerSecond;
}

/** Reads every piece of a layout. @throws TimeParseError */
function readPieces(reader: TimeReader, layout: string, value: string): void {
  const pieces = layoutPieces(layout);
  const cannot = (error: unknown, element: string, from: number) => {
    if (!(error instanceof Mismatch)) {
      return error;
    }
    const shown = `parsing time ${goQuote(value)}`;
    return error.rangeOf === undefined
      ? new TimeParseError(
          `${shown} as ${goQuote(layout)}: cannot parse ${goQuote(reader.rest(from))} as ${goQuote(element)}`,
        )
      : new TimeParseError(`${shown}: ${error.rangeOf} out of range`);
  };
  for (const [index, { literal, text, element }] of pieces.entries()) {
    let start = reader.at;
    let current = literal;
    try {
      reader.literal(literal);
      start = reader.at;
      current = text;
      if (element !== undefined) {
        const next = pieces[index + 1];
        reader.element(element, next?.literal === "" ? next.element : undefined);
      }
    } catch (error) {
      throw cannot(error, current, start);
    }
  }
}

/**
 * The instant in nanoseconds since 1970, of any year from 0 to 9999; UTC where the text names no zone.
 *
 * @throws TimeParseError with Go's message.
 */
export function parseTime(layout: string, value: string): bigint {
  const reader = new TimeReader(value);
  readPieces(reader, layout, value);
  if (reader.rest() !== "") {
    throw new TimeParseError(`parsing time ${goQuote(value)}: extra text: ${goQuote(reader.rest())}`);
  }
  try {
    return instant(reader.fields);
  } catch (error) {
    throw error instanceof TimeParseError
      ? new TimeParseError(`parsing time ${goQuote(value)}${error.message}`)
      : error;
  }
}

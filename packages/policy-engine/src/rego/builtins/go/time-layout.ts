/**
 * Go's time layouts, texts in which the reference time `Mon Jan 2 15:04:05 MST 2006` stands for the fields
 * (package time, format.go): cutting one into elements, and formatting by it.
 */
import { type Civil, civilOf, splitNs, weekdayOf, yearDayOf, type Zone } from "./civil-time.ts";
import { isDigit } from "./number-text.ts";

export const monthNames = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;

export const dayNames = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
] as const;

/** How a zone's offset is written. */
export interface OffsetStyle {
  /** `Z` stands for offset zero. */
  readonly z: boolean;
  readonly colon: boolean;
  readonly minutes: boolean;
  readonly seconds: boolean;
}

export type Element =
  | { readonly kind: "longMonth" | "month" | "longWeekday" | "weekday" | "pm" | "lowerPm" | "zone" }
  | { readonly kind: "numericMonth" | "day" | "hour12" | "minute" | "second"; readonly zero: boolean }
  | { readonly kind: "spacedDay" | "spacedYearDay" | "zeroYearDay" | "hour" | "year" | "longYear" }
  | { readonly kind: "offset"; readonly style: OffsetStyle }
  | { readonly kind: "fraction"; readonly digits: number; readonly trim: boolean; readonly point: string };

/** Literal text, and the element behind it, if any. */
export interface Piece {
  readonly literal: string;
  /** The element as the layout writes it. */
  readonly text: string;
  readonly element: Element | undefined;
}

const OFFSETS: readonly (readonly [string, OffsetStyle])[] = [
  ["070000", { z: false, colon: false, minutes: true, seconds: true }],
  ["07:00:00", { z: false, colon: true, minutes: true, seconds: true }],
  ["0700", { z: false, colon: false, minutes: true, seconds: false }],
  ["07:00", { z: false, colon: true, minutes: true, seconds: false }],
  ["07", { z: false, colon: false, minutes: false, seconds: false }],
];

/** Elements by their text; of those that fit at a place the longest counts. */
const FIXED: readonly (readonly [string, Element])[] = [
  ["January", { kind: "longMonth" }],
  ["Monday", { kind: "longWeekday" }],
  ["MST", { kind: "zone" }],
  ["2006", { kind: "longYear" }],
  ["002", { kind: "zeroYearDay" }],
  ["__2", { kind: "spacedYearDay" }],
  ["01", { kind: "numericMonth", zero: true }],
  ["02", { kind: "day", zero: true }],
  ["03", { kind: "hour12", zero: true }],
  ["04", { kind: "minute", zero: true }],
  ["05", { kind: "second", zero: true }],
  ["06", { kind: "year" }],
  ["15", { kind: "hour" }],
  ["PM", { kind: "pm" }],
  ["pm", { kind: "lowerPm" }],
  ["1", { kind: "numericMonth", zero: false }],
  ["2", { kind: "day", zero: false }],
  ["3", { kind: "hour12", zero: false }],
  ["4", { kind: "minute", zero: false }],
  ["5", { kind: "second", zero: false }],
];

const FIRST = new Set("JM0123_456PpM-Z.,".split(""));

function isLower(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0x61 && unit <= 0x7a;
}

function offsetAt(layout: string, at: number): readonly [string, Element] | undefined {
  for (const [text, style] of OFFSETS) {
    if (layout.startsWith(text, at + 1)) {
      return [layout.charAt(at) + text, { kind: "offset", style: { ...style, z: layout[at] === "Z" } }];
    }
  }
  return undefined;
}

/** `.000` and `.999`, when no other digit follows. */
function fractionAt(layout: string, at: number): readonly [string, Element] | undefined {
  const digit = layout[at + 1];
  if (digit !== "0" && digit !== "9") {
    return undefined;
  }
  let end = at + 1;
  while (layout[end] === digit) {
    end += 1;
  }
  if (end < layout.length && isDigit(layout.charCodeAt(end))) {
    return undefined;
  }
  const element: Element = {
    kind: "fraction",
    digits: end - at - 1,
    trim: digit === "9",
    point: layout.charAt(at),
  };
  return [layout.slice(at, end), element];
}

function elementAt(layout: string, at: number): readonly [string, Element] | undefined {
  const first = layout.charAt(at);
  if (!FIRST.has(first)) {
    return undefined;
  }
  if (first === "-" || first === "Z") {
    return offsetAt(layout, at);
  }
  if (first === "." || first === ",") {
    return fractionAt(layout, at);
  }
  if (first === "_" && layout[at + 1] === "2") {
    return layout.startsWith("2006", at + 1) ? undefined : ["_2", { kind: "spacedDay" }];
  }
  for (const [text, element] of FIXED) {
    if (layout.startsWith(text, at)) {
      return [text, element];
    }
  }
  if (layout.startsWith("Jan", at) && !isLower(layout, at + 3)) {
    return ["Jan", { kind: "month" }];
  }
  return layout.startsWith("Mon", at) && !isLower(layout, at + 3) ? ["Mon", { kind: "weekday" }] : undefined;
}

/** A layout in pieces; the last has no element. */
export function layoutPieces(layout: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  let at = 0;
  while (at < layout.length) {
    const found = elementAt(layout, at);
    if (found === undefined) {
      at += 1;
      continue;
    }
    const [text, element] = found;
    pieces.push({ literal: layout.slice(start, at), text, element });
    at += text.length;
    start = at;
  }
  pieces.push({ literal: layout.slice(start), text: "", element: undefined });
  return pieces;
}

const two = (value: number): string => String(value).padStart(2, "0");

function offsetText(seconds: number, style: OffsetStyle): string {
  if (style.z && seconds === 0) {
    return "Z";
  }
  // The minute is cut off towards zero, and the sign is the minutes': a zone some seconds west of UTC shows "+00".
  const minutes = Math.trunc(seconds / 60);
  const absolute = Math.abs(minutes);
  const colon = style.colon ? ":" : "";
  let text = (minutes < 0 ? "-" : "+") + two(Math.floor(absolute / 60));
  if (style.minutes) {
    text += colon + two(absolute % 60);
  }
  if (style.seconds) {
    text += colon + two(Math.abs(seconds % 60));
  }
  return text;
}

function fractionText(nanosecond: number, element: Element & { kind: "fraction" }): string {
  let digits = String(nanosecond).padStart(9, "0").padEnd(element.digits, "0").slice(0, element.digits);
  if (element.trim) {
    while (digits.endsWith("0")) {
      digits = digits.slice(0, -1);
    }
  }
  return digits === "" ? "" : element.point + digits;
}

function yearText(year: number): string {
  const text = String(Math.abs(year)).padStart(4, "0");
  return year < 0 ? `-${text}` : text;
}

/** An instant, its calendar in a zone. */
interface Moment {
  readonly civil: Civil;
  readonly ns: bigint;
  readonly zone: Zone;
}

function clockText(element: Element, civil: Civil): string | undefined {
  const hour12 = civil.hour % 12 === 0 ? 12 : civil.hour % 12;
  switch (element.kind) {
    case "hour":
      return two(civil.hour);
    case "hour12":
      return element.zero ? two(hour12) : String(hour12);
    case "minute":
      return element.zero ? two(civil.minute) : String(civil.minute);
    case "second":
      return element.zero ? two(civil.second) : String(civil.second);
    case "pm":
      return civil.hour >= 12 ? "PM" : "AM";
    case "lowerPm":
      return civil.hour >= 12 ? "pm" : "am";
    case "fraction":
      return fractionText(civil.nanosecond, element);
    default:
      return undefined;
  }
}

function dateText(element: Element, { civil, ns, zone }: Moment): string {
  switch (element.kind) {
    case "longMonth":
      return monthNames[civil.month - 1] ?? "";
    case "month":
      return (monthNames[civil.month - 1] ?? "").slice(0, 3);
    case "numericMonth":
      return element.zero ? two(civil.month) : String(civil.month);
    case "longWeekday":
      return dayNames[weekdayOf(ns, zone)] ?? "";
    case "weekday":
      return (dayNames[weekdayOf(ns, zone)] ?? "").slice(0, 3);
    case "day":
      return element.zero ? two(civil.day) : String(civil.day);
    case "spacedDay":
      return String(civil.day).padStart(2, " ");
    case "spacedYearDay":
      return String(yearDayOf(civil)).padStart(3, " ");
    case "zeroYearDay":
      return String(yearDayOf(civil)).padStart(3, "0");
    case "year":
      return two(Math.abs(civil.year % 100));
    case "longYear":
      return yearText(civil.year);
    case "zone":
      return zone.at(splitNs(ns).seconds).name;
    case "offset":
      return offsetText(zone.at(splitNs(ns).seconds).seconds, element.style);
    default:
      return "";
  }
}

export function formatTime(ns: bigint, zone: Zone, layout: string): string {
  const moment = { civil: civilOf(ns, zone), ns, zone };
  const parts: string[] = [];
  for (const { literal, element } of layoutPieces(layout)) {
    parts.push(literal);
    if (element !== undefined) {
      parts.push(clockText(element, moment.civil) ?? dateText(element, moment));
    }
  }
  return parts.join("");
}

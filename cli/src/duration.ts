import { UsageError } from "./errors.ts";

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** @throws UsageError for what is no duration, naming the option */
export function secondsOf(option: string, text: string): number {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(text);
  const unit = units[match?.[2] ?? ""];
  if (match === null || unit === undefined)
    throw new UsageError("BadDuration", `${option} ${text}: write a duration such as 30m, 6h or 2d`);
  return Number(match[1]) * unit;
}

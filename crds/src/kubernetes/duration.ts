const FORM = /^(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?$/;

/**
 * Milliseconds of a duration such as `720h`, `1h30m` or `45s` (the part of Go's duration syntax our fields allow).
 * @throws RangeError when `value` has another form
 */
export function parseDurationMs(value: string): number {
  const match = FORM.exec(value);
  if (match === null || value === "") {
    throw new RangeError(
      `"${value}" is not a duration; write hours, minutes and seconds, e.g. 720h or 1h30m`,
    );
  }
  const [, hours = "0", minutes = "0", seconds = "0"] = match;
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
}

/** Thrown for a command line that cannot be meant; `main` prints the message and returns 1. */
export class FlagError extends Error {
  override readonly name = "FlagError";
  readonly code = "SHIELDX_FLAG";
}

/** Milliseconds. @throws FlagError */
export function duration(flag: string, value: string): number {
  const match = /^(\d{1,6})(ms|s|m)$/.exec(value);
  if (match === null)
    throw new FlagError(`${flag} ${JSON.stringify(value)}: must be a duration such as 10s or 500ms`);
  return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000 }[match[2] as "ms" | "s" | "m"];
}

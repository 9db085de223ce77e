/** Pax records (POSIX.1-2001): lines `LENGTH KEY=VALUE` whose length counts the whole line. */
import { BundleError } from "./errors.ts";
import { decodeText } from "./text.ts";

/** Keyed by the record's name; the last of equal names counts. @throws BundleError */
export function readPaxRecords(bytes: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? undefined : decimal(bytes.subarray(at, space));
    const end = at + (length ?? 0);
    const equals = bytes.indexOf(0x3d, space);
    if (
      length === undefined ||
      end > bytes.length ||
      bytes[end - 1] !== 0x0a ||
      equals < space ||
      equals >= end
    )
      throw new BundleError("INVALID_ARCHIVE", "the archive has pax records that cannot be read");
    records.set(
      decodeText(bytes.subarray(space + 1, equals), "a pax record"),
      decodeText(bytes.subarray(equals + 1, end - 1), "a pax record"),
    );
    at = end;
  }
  return records;
}

/** Digits alone, as many as an archive can need. */
export function decimal(bytes: Uint8Array): number | undefined {
  if (bytes.length === 0 || bytes.length > 15) return undefined;
  let value = 0;
  for (const byte of bytes) {
    if (byte < 0x30 || byte > 0x39) return undefined;
    value = value * 10 + byte - 0x30;
  }
  return value;
}

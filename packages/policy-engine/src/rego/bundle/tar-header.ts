/**
 * The header block of a tar entry: POSIX.1-1988 ustar, POSIX.1-2001 pax and GNU. Numbers are octal text or, as GNU
 * writes large ones, binary with the highest bit set.
 */
import { BundleError } from "./errors.ts";

export const blockBytes = 512;

export interface TarHeader {
  readonly name: Uint8Array;
  readonly size: number;
  /** One character: `0` a file, `5` a folder, `x` pax records for the next entry. */
  readonly flag: string;
}

const sizeField = [124, 136] as const;
const checksumField = [148, 156] as const;

/** @throws BundleError */
export function readHeader(block: Uint8Array, offset: number): TarHeader {
  if (numberOf(block, checksumField, offset) !== checksumOf(block))
    throw invalid(offset, "the checksum of its header is wrong");
  const magic = String.fromCharCode(...block.subarray(257, 263));
  const isPosix = magic === "ustar\0";
  if (!isPosix && magic !== "ustar ") throw invalid(offset, "it is neither in ustar, pax nor GNU format");
  const name = textField(block, 0, 100);
  const prefix = isPosix ? textField(block, 345, 500) : new Uint8Array(0);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]),
    size: numberOf(block, sizeField, offset),
    flag: String.fromCharCode(block[156] ?? 0),
  };
}

export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

export function invalid(offset: number, problem: string): BundleError {
  return new BundleError("INVALID_ARCHIVE", `the tar entry at byte ${offset} cannot be read: ${problem}`);
}

/** The sum of all bytes, those of the sum itself taken for spaces. */
function checksumOf(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < blockBytes; at += 1)
    sum += at >= checksumField[0] && at < checksumField[1] ? 0x20 : (block[at] ?? 0);
  return sum;
}

function textField(block: Uint8Array, from: number, to: number): Uint8Array {
  const end = block.indexOf(0, from);
  return block.subarray(from, end < 0 || end > to ? to : end);
}

function numberOf(block: Uint8Array, [from, to]: readonly [number, number], offset: number): number {
  const field = block.subarray(from, to);
  const value = (field[0] ?? 0) >= 0x80 ? binaryNumber(field) : octalNumber(field);
  if (value === undefined) throw invalid(offset, "a number of its header is none");
  return value;
}

function binaryNumber(field: Uint8Array): number | undefined {
  let value = (field[0] ?? 0) & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Digits, with spaces before and spaces or zero bytes behind. */
function octalNumber(field: Uint8Array): number | undefined {
  let at = 0;
  while (field[at] === 0x20) at += 1;
  let value = 0;
  const first = at;
  for (; at < field.length; at += 1) {
    const digit = (field[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  const isEnded = field.subarray(at).every((byte) => byte === 0x20 || byte === 0);
  return at > first && isEnded ? value : undefined;
}

/** A gzipped tar archive as files by path. Only plain files and folders: links and devices have no place in a bundle. */
import { gunzipSync } from "node:zlib";
import { plainPath } from "./entry-path.ts";
import { BundleError } from "./errors.ts";
import type { BundleLimits } from "./limits.ts";
import { decimal, readPaxRecords } from "./pax-records.ts";
import { blockBytes, invalid, isZero, readHeader, type TarHeader } from "./tar-header.ts";
import { decodeText } from "./text.ts";

/** Contents by plain path. They are parts of the bytes they came from. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>;

export interface BundleArchive {
  readonly files: BundleFiles;
  /** How the archive itself spells each path, by plain path: with a leading slash, `./`, or neither. */
  readonly spellings: ReadonlyMap<string, string>;
}

const megabyte = 1 << 20;
/** Bytes of the records before one entry. */
const maxRecordBytes = megabyte;

/** Inflates no further than the limits allow, whatever the archive holds. @throws BundleError */
export function inflate(bytes: Uint8Array, limits: BundleLimits): Uint8Array {
  if (bytes.length > limits.compressedBytes)
    throw new BundleError(
      "LIMIT_EXCEEDED",
      `the bundle has ${bytes.length} bytes, at most ${limits.compressedBytes} are allowed`,
    );
  const byRatio = Math.max(megabyte, bytes.length * limits.ratio);
  const most = Math.min(limits.inflatedBytes, byRatio);
  try {
    return gunzipSync(bytes, { maxOutputLength: most });
  } catch (error) {
    if (error instanceof RangeError)
      throw new BundleError(
        "LIMIT_EXCEEDED",
        byRatio < limits.inflatedBytes
          ? `the bundle inflates to more than ${limits.ratio} times its size`
          : `the bundle inflates to more than ${limits.inflatedBytes} bytes`,
        { cause: error },
      );
    throw new BundleError("INVALID_ARCHIVE", "the bundle is no gzip archive, or not all of one", {
      cause: error,
    });
  }
}

/** The records that go before an entry and say what its header has no room for. */
interface Announced {
  path?: string;
  size?: number;
}

/** Cut short, the archive would seem to hold fewer files than it does: its end is demanded. @throws BundleError */
export function readTar(tar: Uint8Array, limits: BundleLimits): BundleArchive {
  const files = new Map<string, Uint8Array>();
  const spellings = new Map<string, string>();
  let announced: Announced = {};
  let entries = 0;
  for (let at = 0; ; ) {
    const block = tar.subarray(at, at + blockBytes);
    if (block.length < blockBytes) throw invalid(at, "the archive ends before its end mark");
    if (isZero(block)) {
      checkEnd(tar, at, announced);
      return { files, spellings };
    }
    entries += 1;
    if (entries > 4 * limits.files) throw tooMany(limits);
    const header = readHeader(block, at);
    const from = at + blockBytes;
    const size = sizeOf(header, announced);
    if (size > tar.length - from) throw invalid(at, "it is longer than the archive");
    const content = tar.subarray(from, from + size);
    const next = from + Math.ceil(size / blockBytes) * blockBytes;
    announced = take(header, content, announced, at, { files, spellings }, limits);
    at = next;
  }
}

function sizeOf(header: TarHeader, announced: Announced): number {
  return isRecord(header.flag) ? header.size : (announced.size ?? header.size);
}

const isRecord = (flag: string): boolean => flag === "x" || flag === "g" || flag === "L";

/** What is announced for the entry after this one. */
function take(
  header: TarHeader,
  content: Uint8Array,
  announced: Announced,
  offset: number,
  { files, spellings }: { files: Map<string, Uint8Array>; spellings: Map<string, string> },
  limits: BundleLimits,
): Announced {
  if (isRecord(header.flag)) {
    if (content.length > maxRecordBytes)
      throw invalid(offset, `its records are longer than ${maxRecordBytes} bytes`);
    return announce(header.flag, content, announced, offset);
  }
  const path = announced.path ?? decodeText(header.name, "a path in the archive");
  if (header.flag === "5") {
    if (content.length > 0) throw invalid(offset, "it is a folder with content");
    plainPath(path.endsWith("/") ? path.slice(0, -1) : path, limits);
    return {};
  }
  if (header.flag !== "0" && header.flag !== "\0")
    throw invalid(
      offset,
      `${JSON.stringify(path.slice(0, 200))} is of type ${JSON.stringify(header.flag)}; a bundle may have files and folders only`,
    );
  const plain = plainPath(path, limits);
  if (plain === undefined) throw invalid(offset, "it is a file without a name");
  if (files.has(plain)) throw new BundleError("INVALID_ARCHIVE", "is in the archive twice", { file: plain });
  if (files.size >= limits.files) throw tooMany(limits);
  files.set(plain, content);
  spellings.set(plain, path);
  return {};
}

function announce(flag: string, content: Uint8Array, before: Announced, offset: number): Announced {
  if (flag === "L") {
    const end = content.indexOf(0);
    const name = end < 0 ? content : content.subarray(0, end);
    return { ...before, path: decodeText(name, "a path in the archive") };
  }
  const records = readPaxRecords(content);
  for (const key of records.keys())
    if (key.startsWith("GNU.sparse.")) throw invalid(offset, "it is a sparse file");
  const path = records.get("path");
  const size = records.get("size");
  if (flag === "g") {
    // Comments such as `git archive` writes; a path or size for every entry makes no sense.
    if (path !== undefined || size !== undefined)
      throw invalid(offset, "it sets one path or size for all files");
    return before;
  }
  const bytes = size === undefined ? undefined : decimal(Buffer.from(size));
  if (size !== undefined && bytes === undefined) throw invalid(offset, "its pax size is no number");
  return {
    ...before,
    ...(path === undefined ? {} : { path }),
    ...(bytes === undefined ? {} : { size: bytes }),
  };
}

/** Two blocks of zeros, and then no more than filling. */
function checkEnd(tar: Uint8Array, offset: number, announced: Announced): void {
  if (tar.length - offset < 2 * blockBytes) throw invalid(offset, "the archive ends before its end mark");
  if (!isZero(tar.subarray(offset))) throw invalid(offset, "there is more behind the end of the archive");
  if (Object.keys(announced).length > 0) throw invalid(offset, "records announce a file that does not come");
}

function tooMany(limits: BundleLimits): BundleError {
  return new BundleError("LIMIT_EXCEEDED", `the bundle has more than ${limits.files} files`);
}

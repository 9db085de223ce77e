import { gzipSync } from "node:zlib";

const block = 512;

/**
 * A gzipped tar (POSIX.1-2001 ustar; a longer path goes into a pax header) of files by path, in their order. Everything in
 * it has the same time, and belongs to nobody.
 */
export function tarGz(files: ReadonlyMap<string, string>, modifiedMs: number): Buffer {
  const parts: Buffer[] = [];
  for (const [path, text] of files) {
    const content = Buffer.from(text);
    if (Buffer.byteLength(path) > 100) {
      const pax = paxRecord("path", path);
      parts.push(header("pax", "x", pax.length, modifiedMs), padded(pax));
    }
    parts.push(header(path, "0", content.length, modifiedMs), padded(content));
  }
  parts.push(Buffer.alloc(2 * block));
  return gzipSync(Buffer.concat(parts));
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (Buffer.byteLength(`${length}${rest}`) !== length) length = Buffer.byteLength(`${length}${rest}`);
  return Buffer.from(`${length}${rest}`);
}

function header(path: string, type: string, size: number, modifiedMs: number): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number): void =>
    void bytes.write(`${value.toString(8).padStart(digits - 1, "0")}\0`, at, "latin1");
  bytes.write(path.slice(0, 100), 0, 100, "utf8");
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.floor(modifiedMs / 1000), 136, 12);
  bytes.fill(" ", 148, 156);
  bytes.write(type, 156, "latin1");
  bytes.write("ustar\u000000", 257, "latin1");
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

function padded(content: Buffer): Buffer {
  const rest = content.length % block;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(block - rest)]);
}

/** Bundles for tests, byte by byte, so that they can also be wrong in one place. */
import { createHmac } from "node:crypto";
import { gzipSync } from "node:zlib";
import { fileHash } from "./canonical-hash.ts";

export interface RawEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly flag?: string;
  /** The size in the header, where it is not that of the content. */
  readonly size?: number;
  readonly magic?: string;
  readonly prefix?: string;
}

/** One entry of a tar archive: header, content and filling. */
export function tarEntry({
  name,
  content = "",
  flag = "0",
  size,
  magic = "ustar\x0000",
  prefix = "",
}: RawEntry) {
  const bytes = Buffer.from(content);
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  block.write("0000644\0", 100);
  block.write(`${(size ?? bytes.length).toString(8).padStart(11, "0")}\0`, 124);
  block.write("        ", 148);
  block.write(flag, 156, "latin1");
  block.write(magic, 257, "latin1");
  block.write(prefix, 345);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

export const tarEnd = Buffer.alloc(1024);

export function tarOf(entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), tarEnd]);
}

export type Files = Readonly<Record<string, string | Uint8Array | object>>;

function contentOf(content: string | Uint8Array | object): string | Uint8Array {
  return typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content);
}

/** Objects are written as JSON. */
export function tarOfFiles(files: Files): Buffer {
  return tarOf(Object.entries(files).map(([name, content]) => ({ name, content: contentOf(content) })));
}

export function bundleOf(files: Files): Buffer {
  return gzipSync(tarOfFiles(files));
}

export interface TokenDraft {
  readonly secret: string;
  readonly header?: object;
  readonly claims?: object;
  /** Instead of the files there are. */
  readonly files?: readonly object[];
}

/** The files and a signature over them with HS256. */
export function signed(files: Files, { secret, header, claims, files: listed }: TokenDraft): Files {
  const entries = Object.entries(files).map(([name, content]) => ({
    name,
    hash: Buffer.from(fileHash(name, Buffer.from(contentOf(content)), "sha256")).toString("hex"),
    algorithm: "SHA-256",
  }));
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", ...header })}.${part({ files: listed ?? entries, ...claims })}`;
  const signature = createHmac("sha256", secret).update(text).digest("base64url");
  return { ...files, ".signatures.json": { signatures: [`${text}.${signature}`] } };
}

/** A bundle with a file of each kind, in the forms that archives come in. */
export const sampleFiles: Files = {
  "/.manifest": {
    revision: "r1",
    roots: ["shop", "roles"],
    rego_version: 1,
    file_rego_versions: { "/old/*.rego": 0 },
    metadata: { team: "payments" },
  },
  "/shop/policy.rego": "# Who may buy.\npackage shop.orders\n\nallow if input.user == data.roles.admins[_]\n",
  "/old/legacy.rego": 'package shop["old-one"]\n\nallow { input.x }\n',
  "/roles/data.json": { admins: ["ann", "bob"], limits: { a: 1, b: 1.5 } },
  "/shop/prices/data.yaml": "apple: 1\npear: 2.5\nlist:\n- &x {a: 1}\n- *x\n",
  "/README.md": "not read",
};

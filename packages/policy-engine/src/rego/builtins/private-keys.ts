/** Private keys: `crypto.parse_private_keys`, `crypto.x509.parse_rsa_private_key` and what `parse_keypair` shows. */
import { createPrivateKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { integer, type PlainObject, type RegoValue } from "../values.ts";
import { base64Bytes } from "./base64.ts";
import { type Builtin, BuiltinError, LimitError } from "./contract.ts";
import { textOf } from "./go/bytes.ts";
import { decodePem } from "./go/pem.ts";
import { builtin, failure, textOperand } from "./operands.ts";

const DER_TYPES: ReadonlyMap<string, "pkcs1" | "pkcs8" | "sec1"> = new Map([
  ["RSA PRIVATE KEY", "pkcs1"],
  ["PRIVATE KEY", "pkcs8"],
  ["EC PRIVATE KEY", "sec1"],
] as const);

/** Blocks of one text. */
const maxBlocks = 100;

/** @throws BuiltinError when the bytes are no key of that kind. */
export function privateKeyOf(bytes: Uint8Array, blockType: string): KeyObject | undefined {
  const type = DER_TYPES.get(blockType);
  if (type === undefined) {
    return undefined;
  }
  try {
    return createPrivateKey({ key: Buffer.from(bytes), format: "der", type });
  } catch (error) {
    throw failure("x509: failed to parse private key", error);
  }
}

/** The keys of the PEM blocks in a text, which may be base64 as a whole; blocks of other types are passed over. */
function keysOf(text: string): readonly KeyObject[] {
  let rest = base64Text(text) ?? text;
  const keys: KeyObject[] = [];
  for (let blocks = 0; blocks < maxBlocks; blocks += 1) {
    const block = decodePem(rest);
    if (block === undefined) {
      return keys;
    }
    const key = privateKeyOf(block.bytes, block.type);
    if (key !== undefined) {
      keys.push(key);
    }
    rest = block.rest;
  }
  throw new LimitError(`more than ${maxBlocks} PEM blocks`);
}

function base64Text(text: string): string | undefined {
  try {
    return textOf(base64Bytes(text));
  } catch (error) {
    if (error instanceof BuiltinError) {
      return undefined;
    }
    throw error;
  }
}

function bigOf(text: string | undefined): RegoValue {
  const hex = Buffer.from(text ?? "", "base64url").toString("hex");
  return integer(BigInt(`0x${hex === "" ? "0" : hex}`));
}

/** A key as the JSON of Go's rsa.PrivateKey, ecdsa.PrivateKey or ed25519.PrivateKey. */
export function privateKeyShape(key: KeyObject): RegoValue {
  const jwk = key.export({ format: "jwk" });
  switch (jwk.kty) {
    case "RSA":
      return {
        N: bigOf(jwk.n),
        E: bigOf(jwk.e),
        D: bigOf(jwk.d),
        Primes: [bigOf(jwk.p), bigOf(jwk.q)],
        Precomputed: { Dp: bigOf(jwk.dp), Dq: bigOf(jwk.dq), Qinv: bigOf(jwk.qi), CRTValues: [] },
      };
    case "EC":
      return { Curve: {}, X: bigOf(jwk.x), Y: bigOf(jwk.y), D: bigOf(jwk.d) };
    default: {
      const parts = [jwk.d, jwk.x].map((part) => Buffer.from(part ?? "", "base64url"));
      return Buffer.concat(parts).toString("base64");
    }
  }
}

function jwkShape(jwk: JsonWebKey): PlainObject {
  const entries: [string, string][] = [];
  for (const [name, value] of Object.entries(jwk)) {
    if (typeof value === "string") {
      entries.push([name, value]);
    }
  }
  return Object.fromEntries(entries);
}

function parseRsa(text: string): RegoValue {
  if (text === "") {
    throw failure("input PEM data was empty");
  }
  const pem = text.startsWith("-----BEGIN") ? text : textOf(base64Bytes(text));
  const key = keysOf(pem)[0];
  return key === undefined ? null : jwkShape(key.export({ format: "jwk" }));
}

export const privateKeyBuiltins: readonly Builtin[] = [
  builtin("crypto.parse_private_keys", 1, (args, context) => {
    const text = textOperand(args, 1);
    context.spend(1_000 + text.length);
    return text === "" ? null : keysOf(text).map(privateKeyShape);
  }),
  builtin("crypto.x509.parse_rsa_private_key", 1, (args, context) => {
    const text = textOperand(args, 1);
    context.spend(1_000 + text.length);
    return parseRsa(text);
  }),
];

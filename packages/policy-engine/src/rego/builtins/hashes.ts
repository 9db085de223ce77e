/** `crypto.md5`, `crypto.sha*` and `crypto.hmac.*` (OPA's v1/topdown/crypto.go). Results are in hex. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Builtin } from "./contract.ts";
import { bytesOf } from "./go/bytes.ts";
import { builtin, textOperand } from "./operands.ts";

function hash(algorithm: string): Builtin {
  return builtin(`crypto.${algorithm}`, 1, (args, context) => {
    const text = textOperand(args, 1);
    context.spend(1 + Math.floor(text.length / 16));
    return createHash(algorithm).update(bytesOf(text)).digest("hex");
  });
}

function hmac(algorithm: string): Builtin {
  return builtin(`crypto.hmac.${algorithm}`, 2, (args, context) => {
    const text = textOperand(args, 1);
    const key = textOperand(args, 2);
    context.spend(1 + Math.floor((text.length + key.length) / 16));
    return createHmac(algorithm, bytesOf(key)).update(bytesOf(text)).digest("hex");
  });
}

export const hashBuiltins: readonly Builtin[] = [
  ...["md5", "sha1", "sha256"].map(hash),
  ...["md5", "sha1", "sha256", "sha512"].map(hmac),
  builtin("crypto.hmac.equal", 2, (args) => {
    const left = bytesOf(textOperand(args, 1));
    const right = bytesOf(textOperand(args, 2));
    return left.length === right.length && timingSafeEqual(left, right);
  }),
];

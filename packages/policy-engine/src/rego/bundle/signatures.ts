/**
 * `.signatures.json`: one JSON Web Token over the hashes of all files (OPA's documentation, "Signature Format"). Every
 * file of the bundle is in the token and the other way round, or the bundle is refused.
 */
import { timingSafeEqual } from "node:crypto";
import { base64UrlBytes } from "../builtins/base64.ts";
import { BuiltinError, LimitError } from "../builtins/contract.ts";
import { textOf } from "../builtins/go/bytes.ts";
import { isSignedBy } from "../builtins/token-keys.ts";
import {
  decodeHeader,
  decodePart,
  headerFields,
  jsonObject,
  signedBytes,
  splitToken,
} from "../builtins/token-parts.ts";
import { ValueDepthError } from "../values.ts";
import type { BundleFiles } from "./archive.ts";
import { fileHash, hashNames } from "./canonical-hash.ts";
import { countValues } from "./data-files.ts";
import { BundleError } from "./errors.ts";
import { Fields, readJson } from "./json-file.ts";
import type { BundleVerifier, UsableKey } from "./verifier.ts";

export const signaturesFile = ".signatures.json";
/** The plugin OPA has built in. */
const defaultPlugin = "_default";

interface SignedFile {
  readonly hash: string;
  readonly algorithm: string;
}

/** Without a good signature of one of the verifier's keys over exactly these files nothing of them may be used. @throws BundleError */
export function verifyFiles(files: BundleFiles, verifier: BundleVerifier, nowMs: number): void {
  const bytes = files.get(signaturesFile);
  if (bytes === undefined)
    throw new BundleError(
      "UNSIGNED",
      `the bundle has no ${signaturesFile}, but a key to verify bundles with is configured: sign it with opa sign`,
    );
  const signed = verifyToken(tokenOf(bytes), verifier, nowMs, files.size);
  for (const [path, content] of files) {
    if (path === signaturesFile) continue;
    const entry = signed.get(path);
    if (entry === undefined) throw refused(`does not cover ${JSON.stringify(path)}`);
    checkHash(path, content, entry);
    signed.delete(path);
  }
  const [missing] = signed.keys();
  if (missing !== undefined) throw refused(`covers ${JSON.stringify(missing)}, which is not in the bundle`);
}

function refused(problem: string, cause?: unknown): BundleError {
  return new BundleError("INVALID_SIGNATURE", `the signature ${problem}`, { file: signaturesFile, cause });
}

function tokenOf(bytes: Uint8Array): string {
  const fields = new Fields(
    readJson(bytes, signaturesFile, "INVALID_SIGNATURE"),
    signaturesFile,
    "INVALID_SIGNATURE",
  );
  fields.refuseOtherCase(["signatures", "plugin"]);
  const plugin = fields.text("plugin") ?? "";
  if (plugin !== "" && plugin !== defaultPlugin)
    throw new BundleError(
      "UNSUPPORTED",
      `names the plugin ${JSON.stringify(plugin.slice(0, 100))}; only OPA's own signatures are verified here`,
      {
        file: signaturesFile,
      },
    );
  const tokens = fields.list("signatures", 100) ?? [];
  const [token] = tokens;
  if (tokens.length !== 1 || typeof token !== "string")
    return fields.fail("signatures", "must hold exactly one token");
  return token;
}

function verifyToken(
  token: string,
  verifier: BundleVerifier,
  nowMs: number,
  files: number,
): Map<string, SignedFile> {
  try {
    const parts = splitToken(token);
    const { alg, kid, isUsable } = headerFields(decodeHeader(parts));
    // Read before it is verified, as OPA's older signatures name their key in it; nothing else of it is used until then.
    const payload = decodePart(parts.payload, "payload");
    if (countValues(payload, false) > 10_000 + 20 * files) throw refused("says more than it has to");
    const claims = new Fields(jsonObject(textOf(payload)), signaturesFile, "INVALID_SIGNATURE", "token.");
    const key = chooseKey(verifier, kid, claims.text("keyid") ?? "");
    if (!isUsable || alg !== key.algorithm)
      throw refused(`is made with ${JSON.stringify(alg.slice(0, 20))}; the key is for ${key.algorithm}`);
    if (!isSignedBy(key.key, alg, signedBytes(parts), base64UrlBytes(parts.signature)))
      throw refused("is not by the configured key, or the bundle was changed after it was signed");
    checkClaims(claims, verifier.scope ?? key.scope, nowMs);
    return signedFiles(claims, files);
  } catch (error) {
    if (error instanceof BuiltinError || error instanceof LimitError || error instanceof ValueDepthError)
      throw refused(`cannot be read: ${error.message}`, error);
    throw error;
  }
}

function chooseKey(verifier: BundleVerifier, kid: string, keyid: string): UsableKey {
  // The only key there is needs no name: `opa build` calls every key "default" unless told otherwise.
  const only = verifier.keys.size === 1 ? verifier.keys.keys().next().value : undefined;
  const id = verifier.keyId ?? only ?? [kid, keyid].find((name) => name !== "");
  if (id === undefined) throw refused("names no key, and several are configured: say which in keyId");
  return verifier.keys.get(id) ?? refuseKey(id);
}

function refuseKey(id: string): never {
  throw refused(`is by key ${JSON.stringify(id.slice(0, 100))}, which is not among those configured`);
}

function checkClaims(claims: Fields, scope: string, nowMs: number): void {
  const signedScope = claims.text("scope") ?? "";
  if (signedScope !== scope)
    throw refused(`is for scope ${JSON.stringify(signedScope.slice(0, 100))}, not ${JSON.stringify(scope)}`);
  const [expires, begins] = ["exp", "nbf"].map((name) => {
    const value = claims.optional(name);
    if (value === undefined) return undefined;
    const seconds = typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
    if (!Number.isFinite(seconds)) throw refused(`has an ${name} that is no number`);
    return seconds;
  });
  if (expires !== undefined && nowMs >= expires * 1_000)
    throw refused(`expired at ${timeText(expires)}: sign the bundle anew`);
  if (begins !== undefined && nowMs < begins * 1_000)
    throw refused(`is not valid before ${timeText(begins)}`);
}

function timeText(seconds: number): string {
  const time = new Date(seconds * 1_000);
  return Number.isNaN(time.getTime()) ? `${seconds} s` : time.toISOString();
}

function signedFiles(claims: Fields, most: number): Map<string, SignedFile> {
  const files = new Map<string, SignedFile>();
  // A token that lists more files than there are is refused anyway.
  for (const [at, item] of (claims.list("files", most) ?? []).entries()) {
    const fields = new Fields(item, signaturesFile, "INVALID_SIGNATURE", `files[${at}].`);
    const name = fields.text("name") ?? "";
    if (files.has(name)) throw refused(`names ${JSON.stringify(name.slice(0, 200))} twice`);
    files.set(name, { hash: fields.text("hash") ?? "", algorithm: fields.text("algorithm") ?? "" });
  }
  return files;
}

function checkHash(path: string, content: Uint8Array, { hash, algorithm }: SignedFile): void {
  const name = hashNames.get(algorithm);
  if (name === undefined)
    throw refused(
      `hashes ${JSON.stringify(path)} with ${JSON.stringify(algorithm.slice(0, 20))}; SHA-256 or another of SHA-2 is needed`,
    );
  const actual = fileHash(path, content, name);
  const expected = Buffer.from(hash, "hex");
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual))
    throw refused(`has another hash for ${JSON.stringify(path)}: the file was changed after it was signed`);
}

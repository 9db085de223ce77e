/** `crypto.x509.*`: certificates, requests, chains, pairs (OPA's v1/topdown/crypto.go). */
import { X509Certificate } from "node:crypto";
import { getKey, isNumber, type PlainObject, type RegoValue, sortedKeysOf } from "../values.ts";
import { base64Bytes } from "./base64.ts";
import { verifiedChain } from "./certificate-chain.ts";
import { type CertificateFacts, readCertificate, readRequest } from "./certificate-shape.ts";
import { type Builtin, type BuiltinContext, BuiltinError, LimitError } from "./contract.ts";
import { bytesOf, textOf } from "./go/bytes.ts";
import { DerError, derChildren, tags } from "./go/der.ts";
import { decodePem } from "./go/pem.ts";
import { UrlError } from "./go/url.ts";
import { builtin, failure, isInt64, listOf, objectOperand, textOperand, toBigInt } from "./operands.ts";
import { privateKeyOf, privateKeyShape } from "./private-keys.ts";

const maxCertificates = 100;

function malformed(error: unknown): never {
  if (error instanceof DerError || error instanceof UrlError || error instanceof RangeError) {
    throw failure("x509: malformed certificate", error);
  }
  throw error;
}

/** Certificates one after another. */
function fromDer(bytes: Uint8Array): readonly CertificateFacts[] {
  try {
    const values = derChildren(bytes);
    if (values.length > maxCertificates) {
      throw new LimitError(`more than ${maxCertificates} certificates`);
    }
    return values.map((value) => {
      if (value.tag !== tags.sequence) {
        throw new DerError("no certificate");
      }
      return readCertificate(value);
    });
  } catch (error) {
    return malformed(error);
  }
}

function fromPem(text: string): readonly CertificateFacts[] {
  const parts: Uint8Array[] = [];
  for (let block = decodePem(text); block !== undefined; block = decodePem(block.rest)) {
    if (block.type !== "CERTIFICATE") {
      throw failure(`PEM block type is '${block.type}', expected CERTIFICATE`);
    }
    if (parts.length >= maxCertificates) {
      throw new LimitError(`more than ${maxCertificates} certificates`);
    }
    parts.push(block.bytes);
  }
  return fromDer(Buffer.concat(parts));
}

/** PEM, or base64 of PEM or DER. @throws BuiltinError */
function certificatesOf(text: string): readonly CertificateFacts[] {
  if (text.startsWith("-----BEGIN")) {
    return fromPem(text);
  }
  const bytes = base64Bytes(text);
  const inner = textOf(bytes.subarray(0, 10));
  return inner === "-----BEGIN" ? fromPem(textOf(bytes)) : fromDer(bytes);
}

function certificatesOperand(args: readonly RegoValue[], context: BuiltinContext): string {
  const text = textOperand(args, 1);
  context.spend(1_000 + text.length);
  return text;
}

const withUris = (facts: CertificateFacts): PlainObject => ({
  ...facts.shape,
  URIStrings: facts.uris.length === 0 ? null : facts.uris,
});

/** x509.ExtKeyUsage numbers by the names of the option. */
const KEY_USAGES: ReadonlyMap<string, number> = new Map(
  [
    "Any",
    "ServerAuth",
    "ClientAuth",
    "CodeSigning",
    "EmailProtection",
    "IPSECEndSystem",
    "IPSECTunnel",
    "IPSECUser",
    "TimeStamping",
    "OCSPSigning",
    "MicrosoftServerGatedCrypto",
    "NetscapeServerGatedCrypto",
    "MicrosoftCommercialCodeSigning",
    "MicrosoftKernelCodeSigning",
  ].map((name, index) => [`KeyUsage${name}`, index]),
);

const SERVER_AUTH = 1;

interface Options {
  dnsName: string;
  nowMs: number;
  keyUsages: readonly number[];
}

function trimQuotes(text: string): string {
  let start = 0;
  let end = text.length;
  while (text[start] === '"') {
    start += 1;
  }
  while (end > start && text[end - 1] === '"') {
    end -= 1;
  }
  return text.slice(start, end);
}

function integerOption(name: string, value: RegoValue, what: string): bigint {
  if (!isNumber(value)) {
    throw failure(`'${name}' should be a number`);
  }
  const exact = toBigInt(value);
  if (exact === undefined || !isInt64(exact)) {
    throw failure(`'${name}' should be a valid ${what}`);
  }
  return exact;
}

function usagesOption(value: RegoValue): readonly number[] {
  const list = listOf(value);
  if (list === undefined) {
    throw failure("'KeyUsages' should be an Array or Set");
  }
  const names = list.filter((item) => typeof item === "string").map(trimQuotes);
  const invalid = names.filter((name) => !KEY_USAGES.has(name));
  if (invalid.length > 0) {
    throw failure(`invalid entries for 'KeyUsages' found: [${invalid.join(" ")}]`);
  }
  return names.map((name) => KEY_USAGES.get(name) ?? 0);
}

function readOption(options: Options, key: RegoValue, value: RegoValue): void {
  switch (key) {
    case "DNSName":
      if (typeof value !== "string") {
        throw failure("'DNSName' should be a string");
      }
      options.dnsName = trimQuotes(value);
      return;
    case "CurrentTime":
      options.nowMs = Number(integerOption("CurrentTime", value, "int64 number") / 1_000_000n);
      return;
    case "MaxConstraintComparisons":
      integerOption("MaxConstraintComparisons", value, "number");
      return;
    case "KeyUsages":
      options.keyUsages = usagesOption(value);
      return;
    default:
      if (typeof key === "string") {
        throw failure("invalid key option");
      }
  }
}

function verifyOptions(args: readonly RegoValue[], context: BuiltinContext): Options {
  const options: Options = { dnsName: "", nowMs: Number(context.nowNs / 1_000_000n), keyUsages: [] };
  if (args.length > 1) {
    const given = objectOperand(args, 2);
    for (const key of sortedKeysOf(given)) {
      readOption(options, key, getKey(given, key) ?? null);
    }
  }
  return { ...options, keyUsages: options.keyUsages.length === 0 ? [SERVER_AUTH] : options.keyUsages };
}

/** The chain of the given certificates; undefined when they cannot be read or make none that holds. */
function chainOf(text: string, options: Options): readonly CertificateFacts[] | undefined {
  let certificates: readonly CertificateFacts[];
  try {
    certificates = certificatesOf(text);
  } catch (error) {
    if (error instanceof BuiltinError) {
      return undefined;
    }
    throw error;
  }
  try {
    return verifiedChain(certificates, options);
  } catch {
    // OpenSSL cannot read a certificate, its key or signature: nothing is proven then.
    return undefined;
  }
}

function verify(shown: (facts: CertificateFacts) => PlainObject) {
  return (args: readonly RegoValue[], context: BuiltinContext): RegoValue => {
    const text = certificatesOperand(args, context);
    const chain = chainOf(text, verifyOptions(args, context));
    context.spend(20_000);
    return chain === undefined ? [false, []] : [true, chain.map(shown)];
  };
}

function parseRequest(text: string): RegoValue {
  let bytes: Uint8Array = bytesOf(text);
  if (!text.startsWith("-----BEGIN CERTIFICATE REQUEST-----")) {
    bytes = base64Bytes(text);
  }
  const block = decodePem(textOf(bytes));
  if (block !== undefined && block.type !== "CERTIFICATE REQUEST") {
    throw failure("invalid PEM-encoded certificate signing request");
  }
  try {
    return readRequest(block?.bytes ?? bytes);
  } catch (error) {
    if (error instanceof DerError || error instanceof UrlError || error instanceof RangeError) {
      throw failure(`asn1: structure error: ${error.message}`, error);
    }
    throw error;
  }
}

/** PEM text of an argument that may be base64 of PEM or of DER. */
function pemOf(text: string, type: string): string {
  if (text.startsWith("-----BEGIN ")) {
    return text;
  }
  const bytes = base64Bytes(text);
  const inner = textOf(bytes);
  if (inner.startsWith("-----BEGIN")) {
    return inner;
  }
  return `-----BEGIN ${type}-----\n${Buffer.from(bytes).toString("base64")}\n-----END ${type}-----\n`;
}

function parsePair(certificateText: string, keyText: string): RegoValue {
  const certificates = fromPem(pemOf(certificateText, "CERTIFICATE"));
  const leaf = certificates[0];
  if (leaf === undefined) {
    throw failure("tls: failed to find any PEM data in certificate input");
  }
  const block = decodePem(pemOf(keyText, "PRIVATE KEY"));
  const key = block === undefined ? undefined : privateKeyOf(block.bytes, block.type);
  if (key === undefined) {
    throw failure("tls: failed to find any PEM data in key input");
  }
  if (!new X509Certificate(leaf.der).checkPrivateKey(key)) {
    throw failure("tls: private key does not match public key");
  }
  return {
    Certificate: certificates.map(({ der }) => Buffer.from(der).toString("base64")),
    PrivateKey: privateKeyShape(key),
    SupportedSignatureAlgorithms: null,
    OCSPStaple: null,
    SignedCertificateTimestamps: null,
    Leaf: leaf.shape,
  };
}

export const certificateBuiltins: readonly Builtin[] = [
  builtin("crypto.x509.parse_certificates", 1, (args, context) =>
    certificatesOf(certificatesOperand(args, context)).map(withUris),
  ),
  builtin("crypto.x509.parse_and_verify_certificates", 1, verify(withUris)),
  builtin(
    "crypto.x509.parse_and_verify_certificates_with_options",
    2,
    verify(({ shape }) => shape),
  ),
  builtin("crypto.x509.parse_certificate_request", 1, (args, context) =>
    parseRequest(certificatesOperand(args, context)),
  ),
  builtin("crypto.x509.parse_keypair", 2, (args, context) => {
    const certificate = certificatesOperand(args, context);
    const key = textOperand(args, 2, 1);
    context.spend(1_000 + key.length);
    try {
      return parsePair(certificate, key);
    } catch (error) {
      throw error instanceof BuiltinError || error instanceof LimitError
        ? error
        : failure("tls: failed to parse the pair", error);
    }
  }),
];

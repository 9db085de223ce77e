/**
 * A certificate or a request as OPA shows it: the JSON of Go's crypto/x509 structs, field by field. Lists that
 * are empty are null there, bytes are base64, algorithms and usages numbers.
 */

import { integer, type PlainObject, type RegoValue } from "../values.ts";
import {
  type AlternativeNames,
  alternativeNames,
  apply,
  authorityAccess,
  authorityKeyId,
  basicOf,
  distributionPoints,
  dotted,
  type Extension,
  extendedOids,
  extendedUsages,
  extensionMap,
  extensionsOf,
  keyUsageOf,
  NO_NAMES,
  policies,
} from "./certificate-extensions.ts";
import {
  contextTag,
  DerError,
  DerReader,
  type DerValue,
  derBits,
  derChildren,
  derInteger,
  derOid,
  derText,
  derTime,
  tags,
} from "./go/der.ts";
import { parseUrl } from "./go/url.ts";

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const orNull = <T extends RegoValue>(list: readonly T[]): readonly T[] | null =>
  list.length === 0 ? null : list;

/** x509.SignatureAlgorithm. RSASSA-PSS is told apart by its hash. */
const SIGNATURES: ReadonlyMap<string, number> = new Map([
  ["1.2.840.113549.1.1.2", 1],
  ["1.2.840.113549.1.1.4", 2],
  ["1.2.840.113549.1.1.5", 3],
  ["1.3.14.3.2.29", 3],
  ["1.2.840.113549.1.1.11", 4],
  ["1.2.840.113549.1.1.12", 5],
  ["1.2.840.113549.1.1.13", 6],
  ["1.2.840.10040.4.3", 7],
  ["2.16.840.1.101.3.4.3.2", 8],
  ["1.2.840.10045.4.1", 9],
  ["1.2.840.10045.4.3.2", 10],
  ["1.2.840.10045.4.3.3", 11],
  ["1.2.840.10045.4.3.4", 12],
  ["1.3.101.112", 16],
]);

const RSA = "1.2.840.113549.1.1.1";
const ECDSA = "1.2.840.10045.2.1";
const ED25519 = "1.3.101.112";

/** x509.PublicKeyAlgorithm. */
const KEY_ALGORITHMS: ReadonlyMap<string, number> = new Map([
  [RSA, 1],
  ["1.2.840.10040.4.1", 2],
  [ECDSA, 3],
  [ED25519, 4],
]);

/** Attribute types that have a field of their own in pkix.Name. */
const NAME_LISTS: ReadonlyMap<string, string> = new Map([
  ["2.5.4.6", "Country"],
  ["2.5.4.10", "Organization"],
  ["2.5.4.11", "OrganizationalUnit"],
  ["2.5.4.7", "Locality"],
  ["2.5.4.8", "Province"],
  ["2.5.4.9", "StreetAddress"],
  ["2.5.4.17", "PostalCode"],
]);

function signatureAlgorithm(algorithm: DerReader): number {
  return SIGNATURES.get(dotted(derOid(algorithm.expect(tags.oid).content))) ?? 0;
}

function nameOf(raw: DerValue): PlainObject {
  const lists = new Map<string, string[]>([...NAME_LISTS.values()].map((field) => [field, []]));
  let commonName = "";
  let serialNumber = "";
  const names: PlainObject[] = [];
  for (const set of derChildren(raw.content)) {
    for (const pair of derChildren(set.content)) {
      const reader = new DerReader(pair.content);
      const type = derOid(reader.expect(tags.oid).content);
      const value = derText(reader.next());
      names.push({ Type: type, Value: value });
      lists.get(NAME_LISTS.get(dotted(type)) ?? "")?.push(value);
      commonName = dotted(type) === "2.5.4.3" ? value : commonName;
      serialNumber = dotted(type) === "2.5.4.5" ? value : serialNumber;
    }
  }
  return {
    ...Object.fromEntries(Array.from(lists, ([field, values]) => [field, orNull(values)])),
    SerialNumber: serialNumber,
    CommonName: commonName,
    Names: orNull(names),
    ExtraNames: null,
  };
}

function publicKeyOf(info: DerValue): { readonly algorithm: number; readonly key: RegoValue } {
  const reader = new DerReader(info.content);
  const oid = dotted(derOid(reader.enter().expect(tags.oid).content));
  const bits = derBits(reader.expect(tags.bitString));
  const algorithm = KEY_ALGORITHMS.get(oid) ?? 0;
  if (oid === RSA) {
    const key = new DerReader(bits).enter();
    const modulus = integer(derInteger(key.expect(tags.integer)));
    return { algorithm, key: { N: modulus, E: integer(derInteger(key.expect(tags.integer))) } };
  }
  if (oid === ECDSA && bits[0] === 4) {
    const half = (bits.length - 1) / 2;
    const coordinate = (from: number) =>
      integer(BigInt(`0x${Buffer.from(bits.subarray(from, from + half)).toString("hex") || "0"}`));
    return { algorithm, key: { Curve: {}, X: coordinate(1), Y: coordinate(1 + half) } };
  }
  return { algorithm, key: oid === ED25519 ? base64(bits) : null };
}

/** Go's url.URL as a struct. */
function urlStruct(text: string): PlainObject {
  const url = parseUrl(text);
  const opaque =
    url.scheme !== "" && url.host === "" && url.path === "" ? text.slice(url.scheme.length + 1) : "";
  return {
    Scheme: url.scheme,
    Opaque: opaque,
    User: null,
    Host: url.host,
    Path: url.path,
    RawPath: url.rawPath,
    OmitHost: false,
    ForceQuery: false,
    RawQuery: url.rawQuery,
    Fragment: url.fragment,
    RawFragment: "",
  };
}

function namesFields(names: AlternativeNames): PlainObject {
  return {
    DNSNames: orNull(names.dns),
    EmailAddresses: orNull(names.emails),
    IPAddresses: orNull(names.addresses),
    URIs: orNull(names.uris.map(urlStruct)),
  };
}

function extensionFields(extensions: readonly Extension[]): PlainObject {
  return {
    Extensions: orNull(
      extensions.map(({ oid, critical, value }) => ({ Id: oid, Critical: critical, Value: base64(value) })),
    ),
    ExtraExtensions: null,
  };
}

/** What the chain verification needs to know beside what node:crypto tells. */
export interface CertificateFacts {
  readonly der: Uint8Array;
  readonly shape: PlainObject;
  readonly uris: readonly string[];
  readonly notBefore: string;
  readonly notAfter: string;
  readonly isAuthority: boolean;
  readonly maxPathLength: number | undefined;
  readonly keyUsage: number;
  readonly hasKeyUsage: boolean;
  readonly extendedUsages: readonly number[];
  readonly hasExtendedUsages: boolean;
  /** Critical extensions that nothing here understands, or name constraints, which are not evaluated. */
  readonly hasUnknownCritical: boolean;
  readonly names: AlternativeNames;
}

const HANDLED: ReadonlySet<string> = new Set([
  "2.5.29.14",
  "2.5.29.15",
  "2.5.29.17",
  "2.5.29.19",
  "2.5.29.31",
  "2.5.29.32",
  "2.5.29.35",
  "2.5.29.37",
  "1.3.6.1.5.5.7.1.1",
]);

const NO_CONSTRAINTS: PlainObject = {
  PermittedDNSDomainsCritical: false,
  PermittedDNSDomains: null,
  ExcludedDNSDomains: null,
  PermittedIPRanges: null,
  ExcludedIPRanges: null,
  PermittedEmailAddresses: null,
  ExcludedEmailAddresses: null,
  PermittedURIDomains: null,
  ExcludedURIDomains: null,
  InhibitAnyPolicy: 0,
  InhibitAnyPolicyZero: false,
  InhibitPolicyMapping: 0,
  InhibitPolicyMappingZero: false,
  RequireExplicitPolicy: 0,
  RequireExplicitPolicyZero: false,
  PolicyMappings: null,
};

/** One certificate. @throws DerError */
export function readCertificate(certificate: DerValue): CertificateFacts {
  const outer = new DerReader(certificate.content);
  const signed = outer.expect(tags.sequence);
  const algorithm = signatureAlgorithm(outer.enter());
  const signature = derBits(outer.expect(tags.bitString));
  const body = new DerReader(signed.content);
  const versionField = body.optional(contextTag(0, true));
  const version = versionField === undefined ? 0n : derInteger(new DerReader(versionField.content).next());
  const serial = derInteger(body.expect(tags.integer));
  body.expect(tags.sequence);
  const issuer = body.expect(tags.sequence);
  const validity = body.enter();
  const notBefore = derTime(validity.next());
  const notAfter = derTime(validity.next());
  const subject = body.expect(tags.sequence);
  const keyInfo = body.expect(tags.sequence);
  body.optional(contextTag(1, false));
  body.optional(contextTag(2, false));
  const extensionField = body.optional(contextTag(3, true));
  const extensions =
    extensionField === undefined
      ? []
      : extensionsOf(new DerReader(extensionField.content).expect(tags.sequence).content);
  const map = extensionMap(extensions);
  const key = publicKeyOf(keyInfo);
  const basic = apply(map, "2.5.29.19", basicOf);
  const usage = apply(map, "2.5.29.15", keyUsageOf);
  const names = apply(map, "2.5.29.17", alternativeNames) ?? NO_NAMES;
  const usageOids = apply(map, "2.5.29.37", extendedOids);
  const known = (usageOids ?? [])
    .map((oid) => extendedUsages.get(dotted(oid)))
    .filter((each) => each !== undefined);
  const unknown = (usageOids ?? []).filter((oid) => !extendedUsages.has(dotted(oid)));
  const unhandled = extensions.filter(({ oid, critical }) => critical && !HANDLED.has(dotted(oid)));
  const policyOids = apply(map, "2.5.29.32", policies) ?? [];
  const shape: PlainObject = {
    Raw: base64(certificate.raw),
    RawTBSCertificate: base64(signed.raw),
    RawSubjectPublicKeyInfo: base64(keyInfo.raw),
    RawSubject: base64(subject.raw),
    RawIssuer: base64(issuer.raw),
    Signature: base64(signature),
    SignatureAlgorithm: algorithm,
    PublicKeyAlgorithm: key.algorithm,
    PublicKey: key.key,
    Version: Number(version) + 1,
    SerialNumber: integer(serial),
    Issuer: nameOf(issuer),
    Subject: nameOf(subject),
    NotBefore: notBefore,
    NotAfter: notAfter,
    KeyUsage: usage ?? 0,
    ...extensionFields(extensions),
    UnhandledCriticalExtensions: orNull(unhandled.map(({ oid }) => oid)),
    ExtKeyUsage: orNull(known),
    UnknownExtKeyUsage: orNull(unknown),
    BasicConstraintsValid: basic !== undefined,
    IsCA: basic?.isAuthority ?? false,
    MaxPathLen: basic?.maxPathLength ?? 0,
    MaxPathLenZero: basic?.maxPathLength === 0,
    SubjectKeyId: apply(map, "2.5.29.14", (value) => base64(new DerReader(value).next().content)) ?? null,
    AuthorityKeyId: optionalBase64(apply(map, "2.5.29.35", authorityKeyId)),
    OCSPServer: orNull(
      apply(map, "1.3.6.1.5.5.7.1.1", (v) => authorityAccess(v, "1.3.6.1.5.5.7.48.1")) ?? [],
    ),
    IssuingCertificateURL: orNull(
      apply(map, "1.3.6.1.5.5.7.1.1", (v) => authorityAccess(v, "1.3.6.1.5.5.7.48.2")) ?? [],
    ),
    ...namesFields(names),
    ...NO_CONSTRAINTS,
    CRLDistributionPoints: orNull(apply(map, "2.5.29.31", distributionPoints) ?? []),
    PolicyIdentifiers: orNull(policyOids),
    Policies: orNull(policyOids.map(dotted)),
  };
  return {
    der: certificate.raw,
    shape,
    uris: names.uris,
    notBefore,
    notAfter,
    isAuthority: basic?.isAuthority ?? false,
    maxPathLength: basic !== undefined && basic.maxPathLength >= 0 ? basic.maxPathLength : undefined,
    keyUsage: usage ?? 0,
    hasKeyUsage: usage !== undefined,
    extendedUsages: known,
    hasExtendedUsages: usageOids !== undefined,
    hasUnknownCritical: unhandled.length > 0 || map.has("2.5.29.30"),
    names,
  };
}

function optionalBase64(bytes: Uint8Array | undefined): string | null {
  return bytes === undefined ? null : base64(bytes);
}

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";

function requestedExtensions(attributes: DerValue | undefined): readonly Extension[] {
  for (const attribute of attributes === undefined ? [] : derChildren(attributes.content)) {
    const reader = new DerReader(attribute.content);
    if (dotted(derOid(reader.expect(tags.oid).content)) === EXTENSION_REQUEST) {
      return extensionsOf(reader.enter(tags.set).expect(tags.sequence).content);
    }
  }
  return [];
}

/** A certificate request. @throws DerError */
export function readRequest(bytes: Uint8Array): PlainObject {
  const whole = new DerReader(bytes);
  const request = whole.expect(tags.sequence);
  const outer = new DerReader(request.content);
  const signed = outer.expect(tags.sequence);
  const algorithm = signatureAlgorithm(outer.enter());
  const signature = derBits(outer.expect(tags.bitString));
  if (!whole.done) {
    throw new DerError("trailing data");
  }
  const body = new DerReader(signed.content);
  const version = derInteger(body.expect(tags.integer));
  const subject = body.expect(tags.sequence);
  const keyInfo = body.expect(tags.sequence);
  const extensions = requestedExtensions(body.optional(contextTag(0, true)));
  const key = publicKeyOf(keyInfo);
  return {
    Raw: base64(request.raw),
    RawTBSCertificateRequest: base64(signed.raw),
    RawSubjectPublicKeyInfo: base64(keyInfo.raw),
    RawSubject: base64(subject.raw),
    Version: Number(version),
    Signature: base64(signature),
    SignatureAlgorithm: algorithm,
    PublicKeyAlgorithm: key.algorithm,
    PublicKey: key.key,
    Subject: nameOf(subject),
    Attributes: null,
    ...extensionFields(extensions),
    ...namesFields(apply(extensionMap(extensions), "2.5.29.17", alternativeNames) ?? NO_NAMES),
  };
}

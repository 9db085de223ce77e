/** Kyverno's attestors as keys and certificates of engine images (policies.kyverno.io, `spec.attestors`). */
import { X509Certificate } from "node:crypto";
import { at, isPlain, isTexts, type Plain, stated } from "./plain.ts";
import type { Source } from "./source.ts";

/** Who may have signed. */
export interface Signers {
  readonly keys: readonly string[];
  readonly certificates: Certificates | undefined;
}

export interface Certificates {
  readonly roots: string;
  readonly identities: readonly Plain[];
  readonly transparencyLogs: readonly string[];
  readonly timestampAuthorities: readonly string[];
}

/** Undefined where something cannot be carried over, which is told: without it more would be let in. */
export function signersOf(attestor: Plain, path: string, source: Source): Signers | undefined {
  const reader = new Reader(attestor, path, source);
  if (reader.get("notary") !== undefined)
    return reader.refuse(
      "notary",
      "Notary's signatures are not verified: sign with cosign, too, and name who signs",
    );
  reader.only("", ["name", "cosign", "notary"]);
  reader.only("cosign", [
    "key",
    "keyless",
    "certificate",
    "source",
    "tuf",
    "ctlog",
    "annotations",
    "trustedRoot",
  ]);
  const annotations = reader.get("cosign", "annotations");
  if (isPlain(annotations) && Object.keys(annotations).length > 0)
    return reader.refuse(
      "cosign.annotations",
      "what else a signature says is not looked at: leave it out if it need not be",
    );
  tellSource(reader);
  if (reader.get("cosign", "key") !== undefined) return byKey(reader);
  if (reader.get("cosign", "certificate") !== undefined) return byCertificate(reader);
  if (reader.get("cosign", "keyless") !== undefined) return keyless(reader);
  return reader.refuse("cosign", "says not who signs: key, certificate or keyless");
}

/** One attestor. */
class Reader {
  readonly #value: Plain;
  readonly #path: string;
  readonly source: Source;

  constructor(value: Plain, path: string, source: Source) {
    this.#value = value;
    this.#path = path;
    this.source = source;
  }

  place(path: string): string {
    return path === "" ? this.#path : `${this.#path}.${path}`;
  }

  get(...path: readonly string[]): unknown {
    return at(this.#value, ...path);
  }

  text(path: string): string | undefined {
    const value = this.get(...path.split("."));
    if (value === undefined || value === "") return undefined;
    if (typeof value === "string") return value;
    this.refuse(path, "must be text: correct it");
    return undefined;
  }

  flag(path: string): boolean {
    const value = this.get(...path.split("."));
    if (value !== undefined && typeof value !== "boolean")
      this.refuse(path, "must be true or false: correct it");
    return value === true;
  }

  /** What is not understood may narrow who is trusted. */
  only(path: string, names: readonly string[]): void {
    const value = path === "" ? this.#value : this.get(...path.split("."));
    if (value === undefined) return;
    if (!isPlain(value)) {
      this.refuse(path, "must be an object: correct it");
      return;
    }
    for (const name of Object.keys(value))
      if (!names.includes(name))
        this.refuse(
          path === "" ? name : `${path}.${name}`,
          "is not a field that can be carried over: look whether it is needed",
        );
  }

  refuse(path: string, message: string): undefined {
    this.source.error(this.place(path), message);
    return undefined;
  }
}

function tellSource(reader: Reader): void {
  reader.only("cosign.source", ["repository", "tagPrefix", "PullSecrets"]);
  for (const field of ["repository", "tagPrefix"])
    if (reader.text(`cosign.source.${field}`) !== undefined)
      reader.refuse(
        `cosign.source.${field}`,
        "signatures are looked for beside the image only: keep them there",
      );
  if (reader.get("cosign", "source", "PullSecrets") !== undefined)
    reader.source.lost(
      reader.place("cosign.source.PullSecrets"),
      "write spec.verifyImages.registries with a pullSecretRef, and grant it by rbac.imageSecrets of the chart",
    );
}

function byKey(reader: Reader): Signers | undefined {
  reader.only("cosign.key", ["data", "kms", "expression", "hashAlgorithm"]);
  for (const field of ["kms", "expression"])
    if (reader.text(`cosign.key.${field}`) !== undefined)
      return reader.refuse(
        `cosign.key.${field}`,
        "the key itself has to stand in the policy: write it as data",
      );
  const hash = reader.text("cosign.key.hashAlgorithm") ?? "sha256";
  if (hash !== "sha256")
    return reader.refuse(
      "cosign.key.hashAlgorithm",
      `signatures over ${hash} are not verified: sign with sha256`,
    );
  const data = reader.text("cosign.key.data");
  if (data === undefined)
    return reader.refuse("cosign.key.data", "is missing: write the public key there, as PEM");
  reader.only("cosign.ctlog", ctlogFields);
  if (!reader.flag("cosign.ctlog.insecureIgnoreTlog"))
    reader.source.lost(
      reader.place("cosign.ctlog"),
      "that a log has recorded it is not asked of a signature by a key: the key alone decides",
    );
  return { keys: [data], certificates: undefined };
}

/** The key of a certificate that is given is what signatures are held against. */
function byCertificate(reader: Reader): Signers | undefined {
  reader.only("cosign.certificate", ["cert", "certChain"]);
  for (const field of ["cert", "certChain"])
    if (reader.text(`cosign.certificate.${field}.expression`) !== undefined)
      return reader.refuse(
        `cosign.certificate.${field}.expression`,
        "the certificate itself has to stand in the policy: write it as value",
      );
  const pem = reader.text("cosign.certificate.cert.value");
  if (pem === undefined)
    return reader.refuse("cosign.certificate.cert", "is missing: a chain alone does not say who signs");
  try {
    const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "pem" }).toString();
    reader.source.note(
      reader.place("cosign.certificate.cert"),
      "the key of the certificate is in the policy, which goes on counting when the certificate has ended",
    );
    return { keys: [key], certificates: undefined };
  } catch {
    // OpenSSL's reasons say nothing to a reader.
    return reader.refuse("cosign.certificate.cert.value", "is no certificate as PEM: copy it again");
  }
}

const ctlogFields = [
  "url",
  "rekorPubKey",
  "ctLogPubKey",
  "tsaCertChain",
  "insecureIgnoreTlog",
  "insecureIgnoreSCT",
];
const identityFields = ["issuer", "issuerRegExp", "subject", "subjectRegExp", "subjectExpression"];

function keyless(reader: Reader): Signers | undefined {
  reader.only("cosign.keyless", ["identities", "roots", "additionalExtensions"]);
  reader.only("cosign.ctlog", ctlogFields);
  const extensions = reader.get("cosign", "keyless", "additionalExtensions");
  if (isPlain(extensions) && Object.keys(extensions).length > 0)
    return reader.refuse(
      "cosign.keyless.additionalExtensions",
      "extensions of certificates are not looked at: leave them out if they need not be",
    );
  const identities = identitiesOf(reader);
  const trusted = trustedRootOf(reader);
  const roots = reader.text("cosign.keyless.roots") ?? trusted?.roots;
  if (roots === undefined)
    return reader.refuse(
      "cosign.keyless.roots",
      "is missing, so that Kyverno fetches those of Sigstore: ShieldX fetches nothing, write Fulcio's certificates there, or cosign's trusted root as trustedRoot.value",
    );
  const ownLog = reader.text("cosign.ctlog.rekorPubKey");
  const ownTimestamps = reader.text("cosign.ctlog.tsaCertChain");
  const ignoresLog = reader.flag("cosign.ctlog.insecureIgnoreTlog");
  const logs = ignoresLog ? [] : ownLog === undefined ? (trusted?.transparencyLogs ?? []) : [ownLog];
  if (!ignoresLog && logs.length === 0)
    return reader.refuse(
      "cosign.ctlog.rekorPubKey",
      "is missing, so that Kyverno fetches that of Sigstore: ShieldX fetches nothing, write Rekor's public key there, or cosign's trusted root as trustedRoot.value",
    );
  if (!reader.flag("cosign.ctlog.insecureIgnoreSCT"))
    reader.source.lost(reader.place("cosign.ctlog"), "signed certificate timestamps are not asked for");
  if (identities === undefined) return undefined;
  return {
    keys: [],
    certificates: {
      roots,
      identities,
      transparencyLogs: logs,
      timestampAuthorities:
        ownTimestamps === undefined ? (trusted?.timestampAuthorities ?? []) : [ownTimestamps],
    },
  };
}

function identitiesOf(reader: Reader): Plain[] | undefined {
  const listed = reader.get("cosign", "keyless", "identities");
  if (!Array.isArray(listed) || listed.length === 0)
    return reader.refuse(
      "cosign.keyless.identities",
      "is missing: anybody whom Fulcio knows could sign; say who may",
    );
  const identities = listed.map((identity: unknown, index) =>
    identityOf(identity, `cosign.keyless.identities[${index}]`, reader),
  );
  return identities.every((identity) => identity !== undefined) ? identities : undefined;
}

function identityOf(identity: unknown, path: string, reader: Reader): Plain | undefined {
  if (!isPlain(identity) || !isTexts(Object.values(identity)))
    return reader.refuse(path, "must be an object of texts: correct it");
  const unknown = Object.keys(identity).find((field) => !identityFields.includes(field));
  if (unknown !== undefined)
    return reader.refuse(`${path}.${unknown}`, "is not a field that can be carried over");
  const said = (field: string): string | undefined => {
    const text = at(identity, field);
    return typeof text === "string" && text !== "" ? text : undefined;
  };
  if (said("subjectExpression") !== undefined)
    return reader.refuse(
      `${path}.subjectExpression`,
      "subjects are not computed: write subject or subjectRegExp",
    );
  const [issuer, subject] = [said("issuer"), said("subject")];
  const [issuerRegExp, subjectRegExp] = [said("issuerRegExp"), said("subjectRegExp")];
  if (issuer === undefined && issuerRegExp === undefined)
    return reader.refuse(`${path}.issuer`, "is missing: say who vouches for the subject");
  if (subject === undefined && subjectRegExp === undefined)
    return reader.refuse(`${path}.subject`, "is missing: say who may sign");
  if (
    (issuer !== undefined && issuerRegExp !== undefined) ||
    (subject !== undefined && subjectRegExp !== undefined)
  )
    return reader.refuse(path, "has a text and an expression for the same: keep one");
  return stated({
    issuer,
    issuerRegExp: issuerRegExp && wholeText(issuerRegExp),
    subject,
    subjectRegExp: subjectRegExp && wholeText(subjectRegExp),
  });
}

/** Sigstore looks for an expression anywhere in the text, ShieldX holds it against the whole. */
function wholeText(expression: string): string {
  const isAnchored = expression.startsWith("^") && expression.endsWith("$") && !expression.endsWith("\\$");
  if (isAnchored && !expression.includes("|")) return expression.slice(1, -1);
  return `(?s:.*)(?:${expression})(?s:.*)`;
}

/** Sigstore's trusted root (sigstore/protobuf-specs, sigstore_trustroot.proto) as JSON. */
function trustedRootOf(reader: Reader): Omit<Certificates, "identities"> | undefined {
  reader.only("cosign.trustedRoot", ["value", "expression"]);
  if (reader.text("cosign.trustedRoot.expression") !== undefined)
    return reader.refuse(
      "cosign.trustedRoot.expression",
      "the root itself has to stand in the policy: write it as value",
    );
  const text = reader.text("cosign.trustedRoot.value");
  if (text === undefined) return undefined;
  try {
    const root: unknown = JSON.parse(text);
    const chains = (field: string) =>
      listAt(root, field).map((authority) =>
        listAt(authority, "certChain", "certificates")
          .map((each) => pem("CERTIFICATE", at(each, "rawBytes")))
          .join(""),
      );
    const roots = chains("certificateAuthorities").join("");
    if (roots === "") throw new TypeError("no authorities");
    return {
      roots,
      transparencyLogs: listAt(root, "tlogs").map((log) =>
        pem("PUBLIC KEY", at(log, "publicKey", "rawBytes")),
      ),
      timestampAuthorities: chains("timestampAuthorities"),
    };
  } catch {
    // Whatever is wrong in it, it is not to be mended by hand.
    return reader.refuse(
      "cosign.trustedRoot.value",
      "is no trusted root of Sigstore as JSON, with certificateAuthorities: copy it again",
    );
  }
}

function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

function pem(label: string, base64: unknown): string {
  if (typeof base64 !== "string" || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new TypeError("no base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

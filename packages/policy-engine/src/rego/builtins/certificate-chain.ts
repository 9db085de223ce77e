/**
 * Path validation as Go's x509.Certificate.Verify does it (RFC 5280 section 6 in substance): signatures, validity,
 * authority and path length, extended key usage, host name. Name constraints are not evaluated: a chain that has
 * some is refused, where Go may accept it.
 */
import { X509Certificate } from "node:crypto";
import type { CertificateFacts } from "./certificate-shape.ts";
import { parseAddress } from "./go/ip-address.ts";

export interface ChainOptions {
  readonly nowMs: number;
  /** A host name or address the leaf must be for; empty is none. */
  readonly dnsName: string;
  /** x509.ExtKeyUsage numbers, of which one must be allowed throughout; 0 is any. */
  readonly keyUsages: readonly number[];
}

/** Signature checks of one search; Go stops at 100 too. */
const maxSignatureChecks = 100;
const maxChain = 16;

/** SHA-1 and MD5 signatures, which Go refuses (x509.SignatureAlgorithm numbers). */
const INSECURE: ReadonlySet<number> = new Set([0, 1, 2, 3, 7, 9]);

const CERT_SIGN = 1 << 5;

interface Link {
  readonly facts: CertificateFacts;
  readonly certificate: X509Certificate;
}

/** @throws when OpenSSL cannot read the certificate. */
function link(facts: CertificateFacts): Link {
  return { facts, certificate: new X509Certificate(facts.der) };
}

function isValidAt(facts: CertificateFacts, nowMs: number): boolean {
  return Date.parse(facts.notBefore) <= nowMs && nowMs <= Date.parse(facts.notAfter);
}

function allowsUsage(facts: CertificateFacts, usage: number): boolean {
  const usages = facts.extendedUsages;
  return !facts.hasExtendedUsages || usages.includes(usage) || usages.includes(0);
}

class ChainSearch {
  readonly #root: Link;
  readonly #intermediates: readonly Link[];
  readonly #options: ChainOptions;
  #checks = 0;

  constructor(root: Link, intermediates: readonly Link[], options: ChainOptions) {
    this.#root = root;
    this.#intermediates = intermediates;
    this.#options = options;
  }

  #isAcceptable(facts: CertificateFacts): boolean {
    return !facts.hasUnknownCritical && isValidAt(facts, this.#options.nowMs);
  }

  #mayIssue(issuer: CertificateFacts, below: number): boolean {
    const signs = !issuer.hasKeyUsage || (issuer.keyUsage & CERT_SIGN) !== 0;
    const length = issuer.maxPathLength;
    return (
      this.#isAcceptable(issuer) && issuer.isAuthority && signs && (length === undefined || below <= length)
    );
  }

  #isSigned(child: Link, issuer: Link): boolean {
    const algorithm = child.facts.shape.SignatureAlgorithm;
    if (typeof algorithm !== "number" || INSECURE.has(algorithm) || this.#checks >= maxSignatureChecks) {
      return false;
    }
    if (child.facts.shape.RawIssuer !== issuer.facts.shape.RawSubject) {
      return false;
    }
    this.#checks += 1;
    return child.certificate.verify(issuer.certificate.publicKey);
  }

  /** From the leaf to the root. */
  complete(chain: readonly Link[]): readonly Link[] | undefined {
    const last = chain.at(-1);
    if (last === undefined || chain.length >= maxChain) {
      return undefined;
    }
    const below = chain.length - 1;
    if (this.#mayIssue(this.#root.facts, below) && this.#isSigned(last, this.#root)) {
      return [...chain, this.#root];
    }
    for (const candidate of this.#intermediates) {
      const usable = !chain.includes(candidate) && this.#mayIssue(candidate.facts, below);
      if (usable && this.#isSigned(last, candidate)) {
        const found = this.complete([...chain, candidate]);
        if (found !== undefined) {
          return found;
        }
      }
    }
    return undefined;
  }

  start(leaf: Link): readonly Link[] | undefined {
    return this.#isAcceptable(leaf.facts) ? this.complete([leaf]) : undefined;
  }
}

function isFor(leaf: X509Certificate, name: string): boolean {
  if (name === "") {
    return true;
  }
  const address = name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
  if (parseAddress(address) !== undefined) {
    return leaf.checkIP(address) !== undefined;
  }
  return leaf.checkHost(name, { subject: "never" }) !== undefined;
}

/**
 * The chain from the leaf, which is the last of the certificates, over those between to the root, the first.
 * Undefined when there is none that holds.
 */
export function verifiedChain(
  certificates: readonly CertificateFacts[],
  options: ChainOptions,
): readonly CertificateFacts[] | undefined {
  const links = certificates.map(link);
  const root = links[0];
  const leaf = links.at(-1);
  if (
    root === undefined ||
    leaf === undefined ||
    links.length < 2 ||
    !isFor(leaf.certificate, options.dnsName)
  ) {
    return undefined;
  }
  const chain = new ChainSearch(root, links.slice(1, -1), options).start(leaf);
  if (chain === undefined) {
    return undefined;
  }
  const anyUsage = options.keyUsages.includes(0);
  const usable = options.keyUsages.some((usage) => chain.every(({ facts }) => allowsUsage(facts, usage)));
  return anyUsage || usable ? chain.map(({ facts }) => facts) : undefined;
}

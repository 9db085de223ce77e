/** Who a signing certificate is for: `certificates.identities` of a rule. */
import type { VerifyImagesSpec } from "@shieldx/crds";
import { RE2JS } from "re2js";
import { estimatedProgramSize } from "../regex-size.ts";

/** What a certificate says of whom it is for. */
export interface CertificateIdentity {
  readonly subject: string | undefined;
  /** OpenID Connect issuer, as Fulcio writes it into certificates. */
  readonly issuer: string | undefined;
}

export interface Identity {
  matches(identity: CertificateIdentity): boolean;
}

export class IdentityError extends Error {
  override readonly name = "IdentityError";
}

type Spec = NonNullable<VerifyImagesSpec["rules"][number]["certificates"]>["identities"][number];

/** @throws IdentityError saying which field is wrong */
export function parseIdentity(spec: Spec): Identity {
  const isSubject = matcher(spec.subject, spec.subjectRegExp, "subjectRegExp");
  if (isSubject === undefined) throw new IdentityError("needs subject or subjectRegExp");
  const isIssuer = matcher(spec.issuer, spec.issuerRegExp, "issuerRegExp");
  return {
    matches: ({ subject, issuer }) => {
      // An address that some other issuer vouches for is not the same person's.
      const isFromThere =
        isIssuer === undefined ? issuer === undefined : issuer !== undefined && isIssuer(issuer);
      return isFromThere && subject !== undefined && isSubject(subject);
    },
  };
}

/** Instructions. */
const largestProgram = 10_000;

/** Expressions are for the whole text: one that forgets its anchors must not match a longer name. */
function matcher(
  exact: string | undefined,
  expression: string | undefined,
  field: string,
): ((text: string) => boolean) | undefined {
  if (exact !== undefined) return (text) => text === exact;
  if (expression === undefined) return undefined;
  if (estimatedProgramSize(expression) > largestProgram)
    throw new IdentityError(`${field} is too large: use smaller repetitions`);
  // re2js takes these, RE2 does not, and they are what makes others slow.
  if (expression.includes("(?<=") || expression.includes("(?<!"))
    throw new IdentityError(`${field} looks behind, which RE2 cannot: write it without (?<= and (?<!`);
  try {
    const compiled = RE2JS.compile(expression);
    return (text) => compiled.matches(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new IdentityError(`${field} is no regular expression of RE2: ${message}`, { cause });
  }
}

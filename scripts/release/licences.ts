/** Which licences may be linked into what we ship. Expressions are SPDX's, without nested parentheses. */

/** Reciprocal for whoever links (GPL, AGPL), or no open source at all (BUSL, SSPL). */
const refused = /^(A?GPL|BUSL|SSPL|Elastic)-/i;

/** Why a licence expression cannot be linked, or undefined. One acceptable alternative of an OR is enough. */
export function refusalOf(expression: string | undefined): string | undefined {
  if (expression === undefined || expression.trim() === "") return "names no licence";
  const alternatives = expression.replaceAll(/[()]/g, " ").split(/\s+OR\s+/i);
  const isFine = (alternative: string): boolean => {
    const ids = alternative.split(/\s+AND\s+/i).map((part) => part.trim());
    return ids.every((id) => !refused.test(id) && /^[A-Za-z0-9.+-]+$/.test(id));
  };
  return alternatives.some(isFine) ? undefined : `is under ${expression}`;
}

/**
 * Licences of the Debian libraries, which are linked dynamically and may be exchanged. Their copyright files are prose,
 * so a person read them; `evidence` has to be in the file still.
 */
export const debianLicences: Readonly<
  Record<string, { readonly expression: string; readonly evidence: RegExp }>
> = {
  libc6: { expression: "LGPL-2.1-or-later", evidence: /GNU Lesser\s+General Public\s+License/ },
  "libgcc-s1": {
    expression: "GPL-3.0-or-later WITH GCC-exception-3.1",
    evidence: /GCC\s+Runtime\s+Library\s+Exception/i,
  },
  "libstdc++6": {
    expression: "GPL-3.0-or-later WITH GCC-exception-3.1",
    evidence: /GCC\s+Runtime\s+Library\s+Exception/i,
  },
};

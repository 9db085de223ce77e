/** One line of what the informers' process writes down: what its client asked and got, and what its handlers were told. */
export type Delivery =
  /** A list begins. Its items are told of while it arrives, so before its version is known. */
  | { readonly lane: number; readonly what: "list" }
  /** A page of a list, taken at version `v`. */
  | { readonly lane: number; readonly what: "page"; readonly v: number }
  /** A watch opened from version `v`. */
  | { readonly lane: number; readonly what: "watch"; readonly v: number }
  | {
      readonly lane: number;
      readonly what: "added" | "updated" | "deleted";
      readonly name: string;
      readonly uid: string;
      readonly v: number;
      readonly token: string;
      /** The filling is what the token says it is: no byte was lost or mixed up. */
      readonly isWhole: boolean;
      readonly isLastStateKnown?: boolean;
    };

export type LaneKind = "configmaps" | "secrets";

export interface Lane {
  readonly namespace: string;
  readonly kind: LaneKind;
}

/**
 * What an object of this token is filled with: up to 1.5 kB, of characters of one to four bytes so that bytes sent
 * singly part them.
 */
export function fillingOf(token: string): string {
  let hash = 0;
  for (const letter of token) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
  return "aß漢🛡".repeat(hash % 150);
}

/** The annotations that carry token and filling. */
export const tokenAnnotation = "chaos/token";
export const fillingAnnotation = "chaos/filling";

/** What every namespace has without anybody's asking. */
export const ownObject = "kube-root-ca.crt";

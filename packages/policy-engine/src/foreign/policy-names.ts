/** Names for ShieldPolicies: those of what they were made of, as far as these fit and nobody else has them. */
import { createHash } from "node:crypto";
import { MAX_NAME_LENGTH } from "@shieldx/crds";

/** Characters of the hash that a name ends with where it was too long. */
const hashLength = 10;

export class PolicyNames {
  readonly #taken = new Set<string>();

  /** The first of `wishes` that is free; the last with a number after it where none is. */
  take(wishes: readonly string[]): string {
    const names = wishes.map(fitting);
    let name = names.find((each) => !this.#taken.has(each));
    const last = names.at(-1) ?? "policy";
    for (let number = 2; name === undefined; number++) {
      const numbered = fitting(`${last}-${number}`);
      if (!this.#taken.has(numbered)) name = numbered;
    }
    this.#taken.add(name);
    return name;
  }
}

/** A DNS subdomain of the length that a ShieldPolicy's name may have. */
function fitting(wish: string): string {
  const plain = trimmed(
    wish
      .toLowerCase()
      .slice(0, 1_024)
      .replace(/[^a-z0-9.]/g, "-")
      .replace(/\.-*/g, "-"),
  );
  if (plain.length <= MAX_NAME_LENGTH) return plain === "" ? "policy" : plain;
  const hash = createHash("sha256").update(wish).digest("hex").slice(0, hashLength);
  return `${trimmed(plain.slice(0, MAX_NAME_LENGTH - hashLength - 1))}-${hash}`;
}

function trimmed(name: string): string {
  let from = 0;
  let to = name.length;
  while (from < to && name[from] === "-") from++;
  while (to > from && name[to - 1] === "-") to--;
  return name.slice(from, to);
}

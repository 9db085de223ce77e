import { createHash } from "node:crypto";

/** Bytes nobody can guess who has not the seed, the same each time: SHA-256 of seed, label and a counter. */
export function seededBytes(seed: Uint8Array, label: string): (count: number) => Uint8Array {
  let block = 0;
  return (count) => {
    const parts: Uint8Array[] = [];
    for (let made = 0; made < count; made += 32)
      parts.push(createHash("sha256").update(seed).update(`${label}/${block++}`).digest());
    return Buffer.concat(parts).subarray(0, count);
  };
}

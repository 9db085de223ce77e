/**
 * Which policies share an admission policy. A pure function of the policies there are: nothing has to be remembered,
 * and one policy more or less moves few others.
 */
import { createHash } from "node:crypto";
import type { Fragment } from "./fragment.ts";
import { GROUP_BUDGET } from "./weight.ts";

export interface Group {
  readonly name: string;
  /** By name. */
  readonly members: readonly Fragment[];
}

export interface Grouping {
  readonly groups: readonly Group[];
  /** Policies that find no company. */
  readonly alone: readonly string[];
}

/** Fewer than this are rendered one by one: it costs the API server next to nothing, and each is found by its name. */
export const FEWEST_TO_MERGE = 4;
const MOST_MEMBERS = 32;
/** Of what members say, in characters; the API server stores 1.5 MiB, with who owns which field beside it. */
const MOST_TEXT = 200_000;
const MOST_VARIABLES = 128;

/**
 * Begins with a word that no policy rendered alone can have before its name. The key tells what the members have in
 * common, the rest which of them they are.
 */
const PREFIX = "shieldx.group-";

export function isGroupName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/**
 * Policies with one head are spread by the digest of their names: a group that is too large is split in two by the next
 * bit, so that all others stay what they are.
 */
export function groupFragments(fragments: readonly Fragment[]): Grouping {
  const groups: Group[] = [];
  const alone: string[] = [];
  for (const [key, members] of byHead(fragments)) {
    if (members.length < FEWEST_TO_MERGE) alone.push(...members.map(({ policy }) => policy));
    else split(`${PREFIX}${key}`, members.map(located), 0, groups, alone);
  }
  return { groups, alone };
}

interface Located {
  readonly fragment: Fragment;
  readonly bits: string;
}

function located(fragment: Fragment): Located {
  const digest = createHash("sha256").update(fragment.policy).digest();
  return { fragment, bits: [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("") };
}

function split(
  prefix: string,
  members: readonly Located[],
  depth: number,
  groups: Group[],
  alone: string[],
): void {
  const fragments = members.map(({ fragment }) => fragment);
  const [only] = members;
  if (only === undefined) return;
  if (members.length === 1) alone.push(only.fragment.policy);
  else if (fits(fragments)) {
    const bits = only.bits.slice(0, depth);
    groups.push({ name: bits === "" ? prefix : `${prefix}-${bits}`, members: fragments.sort(byPolicy) });
  } else {
    // Ends: names differ, and so do their digests before the last bit.
    for (const bit of ["0", "1"]) {
      const half = members.filter(({ bits }) => bits[depth] === bit);
      split(prefix, half, depth + 1, groups, alone);
    }
  }
}

function fits(members: readonly Fragment[]): boolean {
  if (members.length > MOST_MEMBERS) return false;
  const variables = new Map(
    members.flatMap(({ variables: own }) => own.map((variable) => [variable.name, variable])),
  );
  if (variables.size > MOST_VARIABLES) return false;
  let weight = 0;
  let text = 0;
  for (const { weight: own, expression } of variables.values()) {
    weight += own;
    text += expression.length;
  }
  for (const { weight: own, validations } of members) {
    weight += own;
    text += JSON.stringify(validations).length;
  }
  return weight <= GROUP_BUDGET && text <= MOST_TEXT;
}

function byHead(fragments: readonly Fragment[]): Map<string, Fragment[]> {
  const heads = new Map<string, Fragment[]>();
  for (const fragment of fragments) {
    const members = heads.get(fragment.head.key);
    if (members === undefined) heads.set(fragment.head.key, [fragment]);
    else members.push(fragment);
  }
  return heads;
}

function byPolicy(a: Fragment, b: Fragment): number {
  return a.policy < b.policy ? -1 : 1;
}

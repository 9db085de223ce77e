import {
  admissionPolicyName,
  type Fragment,
  groupFragments,
  type Head,
  type MergedMember,
  memberOf,
  mergeMembers,
  type RenderedPolicy,
} from "@shieldx/policy-engine";

/** What one policy comes to, or that what there is of it has to stay. */
export interface Want {
  readonly policy: string;
  readonly uid: string;
  readonly generation: number;
  /** Another for every other rendering. */
  readonly version: string;
  /** undefined: the policy does not compile, and the last version that did stays in force. */
  readonly rendered: RenderedPolicy | undefined;
  /** undefined: the policy has an admission policy of its own. */
  readonly fragment: Fragment | undefined;
}

type ObjectHead = Pick<Head, "spec" | "validationActions">;

/** An admission policy of ours on the server. */
export interface Stored {
  readonly name: string;
  readonly members: readonly Pick<MergedMember, "policy" | "uid">[];
  /** Of one that several policies share; undefined where one has it alone. */
  readonly merged: { readonly head: ObjectHead; readonly members: readonly MergedMember[] } | undefined;
  /** As it was written; undefined where that was before this process. */
  readonly written: PlannedObject | undefined;
}

/** Where a policy is to be found. */
export interface Home {
  readonly object: string;
  readonly version: string;
}

export interface PlannedObject {
  readonly name: string;
  readonly policy: RenderedPolicy["policy"];
  readonly binding: RenderedPolicy["binding"];
  /** Who is in it as wanted now. */
  readonly wants: readonly Want[];
  readonly merged: { readonly head: ObjectHead; readonly members: readonly MergedMember[] } | undefined;
}

export interface Plan {
  readonly objects: readonly PlannedObject[];
  readonly remove: readonly string[];
  readonly homes: ReadonlyMap<string, Home>;
  /** Policies that are still enforced from another object than the one they belong into. */
  readonly moving: ReadonlySet<string>;
}

/**
 * Which objects there have to be. Nobody who is to be enforced leaves an object before `isSettled` says that every API
 * server has taken in the one where he is now: until then his part of it stays as it was.
 */
export function planObjects(
  wants: readonly Want[],
  stored: readonly Stored[],
  isSettled: (policy: string, home: Home) => boolean,
): Plan {
  const wanted = new Map(wants.map((want) => [want.policy, want]));
  const placed = place(wants);
  const homes = homesOf(placed);
  const objects = new Map(placed.map((object) => [object.name, object]));
  const remove: string[] = [];
  const moving = new Set<string>();
  for (const object of stored) {
    const staying = object.members.filter(({ policy, uid }) => {
      const want = wanted.get(policy);
      if (want?.uid !== uid) return false;
      const home = homes.get(policy);
      if (home?.object === object.name) return false;
      if (home !== undefined) {
        if (isSettled(policy, home)) return false;
        moving.add(policy);
      }
      return true;
    });
    const planned = objects.get(object.name);
    if (staying.length === 0) {
      if (planned === undefined) remove.push(object.name);
    } else if (object.merged === undefined) {
      if (planned === undefined && object.written !== undefined) objects.set(object.name, object.written);
    } else {
      objects.set(
        object.name,
        withStaying(object.name, object.merged, planned, new Set(staying.map(nameOf))),
      );
    }
  }
  return { objects: [...objects.values()], remove, homes, moving };
}

function place(wants: readonly Want[]): PlannedObject[] {
  const byName = new Map(wants.map((want) => [want.policy, want]));
  const { groups } = groupFragments(wants.flatMap(({ fragment }) => fragment ?? []));
  const grouped = new Set(groups.flatMap(({ members }) => members.map(nameOf)));
  return [
    ...wants.flatMap((want): PlannedObject[] => {
      const { policy: name, rendered } = want;
      if (rendered === undefined || grouped.has(name)) return [];
      const { policy, binding } = rendered;
      return [{ name: admissionPolicyName(name), policy, binding, wants: [want], merged: undefined }];
    }),
    ...groups.flatMap(({ name, members }): PlannedObject[] => {
      const [first] = members;
      if (first === undefined) return [];
      const merged = { head: first.head, members: members.map(memberOf) };
      const own = members.flatMap(({ policy }) => byName.get(policy) ?? []);
      return [{ name, ...mergeMembers(name, merged.head, merged.members), wants: own, merged }];
    }),
  ];
}

function homesOf(objects: readonly PlannedObject[]): Map<string, Home> {
  return new Map(
    objects.flatMap(({ name, wants }) =>
      wants.map(({ policy, version }) => [policy, { object: name, version }] as const),
    ),
  );
}

/** The object with those in it who stay for a while, besides those who belong into it. */
function withStaying(
  name: string,
  stored: NonNullable<Stored["merged"]>,
  planned: PlannedObject | undefined,
  staying: ReadonlySet<string>,
): PlannedObject {
  const head = planned?.merged?.head ?? stored.head;
  const members = [
    ...(planned?.merged?.members ?? []),
    ...stored.members.filter(({ policy }) => staying.has(policy)),
  ];
  return {
    name,
    ...mergeMembers(name, head, members),
    wants: planned?.wants ?? [],
    merged: { head, members },
  };
}

function nameOf({ policy }: { readonly policy: string }): string {
  return policy;
}

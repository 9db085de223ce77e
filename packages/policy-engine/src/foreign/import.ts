import { admissionPolicies } from "./admission-policies.ts";
import { finished } from "./draft.ts";
import type { Foreign, Imported, Note, ObjectName } from "./foreign.ts";
import { gatekeeper } from "./gatekeeper.ts";
import { kyverno } from "./kyverno.ts";
import type { Origin } from "./origin.ts";
import { isPlain } from "./plain.ts";
import { objectNameOf, Source } from "./source.ts";

const origins: readonly Origin[] = [admissionPolicies, kyverno, gatekeeper];

/** ShieldPolicies that say the same, and notes on what does not carry over. Never throws for what the objects are. */
export function importPolicies({ objects }: Foreign): Imported {
  const notes: Note[] = [];
  const left: ObjectName[] = [];
  const understood = new Map<Origin, Source[]>(origins.map((origin) => [origin, []]));
  for (const object of objects) {
    const name = objectNameOf(object);
    if (name === undefined || !isPlain(object)) continue;
    const origin = origins.find(({ understands }) => understands(name));
    if (origin === undefined) left.push(name);
    else understood.get(origin)?.push(new Source(object, name, notes));
  }
  const drafts = origins.flatMap((origin) => origin.drafts(understood.get(origin) ?? [], objects));
  return { policies: finished(drafts, objects), notes, left };
}

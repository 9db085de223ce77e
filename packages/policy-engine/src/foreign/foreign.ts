/** What policies of others come to as ShieldPolicies, and what of them does not carry over. */
import type { ShieldPolicy } from "@shieldx/crds";

/** Parsed documents of one load: policies find their bindings, templates their constraints among these. */
export interface Foreign {
  readonly objects: readonly unknown[];
}

export interface ObjectName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export interface Note {
  /** The object that it is about. */
  readonly source: ObjectName;
  /** Field of that object, e.g. `spec.match.source`; empty for the object as a whole. */
  readonly path: string;
  /**
   * - `note`: carried over, and good to know.
   * - `lost`: the policy is there without this.
   * - `error`: no policy came of it.
   */
  readonly severity: "note" | "lost" | "error";
  /** What it is, and what to do. */
  readonly message: string;
}

export interface ImportedPolicy {
  /** As the engine takes it, with defaults applied. */
  readonly policy: ShieldPolicy;
  /** The same as a person would write it. */
  readonly written: Readonly<Record<string, unknown>>;
  /** Objects of the load that it takes its parameters from. */
  readonly params: readonly unknown[];
  /** What it is made of: policy and binding, template and constraint. */
  readonly from: readonly ObjectName[];
}

export interface Imported {
  readonly policies: readonly ImportedPolicy[];
  readonly notes: readonly Note[];
  /** Objects that nobody here understands. */
  readonly left: readonly ObjectName[];
}

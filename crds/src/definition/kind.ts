import type * as z from "zod";

/** One column of `kubectl get`. */
export interface PrinterColumn {
  name: string;
  type: "string" | "integer" | "number" | "boolean" | "date";
  jsonPath: string;
  description: string;
  /** 0 (default) is always shown, 1 only with `-o wide`. */
  priority?: number;
}

/** Everything a CustomResourceDefinition says about a kind besides its schema's details. */
export interface KindDefinition<S extends z.ZodObject = z.ZodObject> {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  scope: "Cluster" | "Namespaced";
  schema: S;
  printerColumns: readonly PrinterColumn[];
}

/** Keeps the schema's type while checking the rest. */
export function defineKind<S extends z.ZodObject>(definition: KindDefinition<S>): KindDefinition<S> {
  return definition;
}

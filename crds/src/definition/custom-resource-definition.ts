import type * as z from "zod";
import { toStructural } from "../structural/convert.ts";
import type { StructuralSchema } from "../structural/structural-schema.ts";
import type { KindDefinition } from "./kind.ts";

/** A CustomResourceDefinition (`apiextensions.k8s.io/v1`) as we generate it: one served and stored version. */
export interface CustomResourceDefinition {
  apiVersion: "apiextensions.k8s.io/v1";
  kind: "CustomResourceDefinition";
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    group: string;
    names: {
      kind: string;
      listKind: string;
      plural: string;
      singular: string;
      shortNames?: string[];
      categories?: string[];
    };
    scope: "Cluster" | "Namespaced";
    versions: CrdVersion[];
  };
}

/** One version of a CustomResourceDefinition. */
export interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  schema: { openAPIV3Schema: StructuralSchema };
  subresources?: { status: Record<string, never> };
  additionalPrinterColumns?: {
    name: string;
    type: string;
    jsonPath: string;
    description: string;
    priority?: number;
  }[];
}

const STANDARD_FIELDS = {
  apiVersion: {
    type: "string",
    description: "Group and version of this representation of the object.",
  },
  kind: { type: "string", description: "Kind of the object." },
  metadata: { type: "object" },
} as const satisfies Record<string, StructuralSchema>;

/**
 * The whole schema of a kind. `apiVersion`, `kind` and `metadata` belong to the API server: a CRD may name them and
 * no more, so they do not go through the converter.
 */
export function kindSchema(definition: KindDefinition): StructuralSchema {
  const shape = definition.schema.shape as Record<string, z.ZodType>;
  const own = Object.fromEntries(Object.entries(shape).filter(([name]) => !(name in STANDARD_FIELDS)));
  const converted = toStructural(definition.schema.clone({ ...definition.schema._zod.def, shape: own }));
  const description = definition.schema.description;
  return {
    ...(description === undefined ? {} : { description }),
    ...converted,
    properties: { ...STANDARD_FIELDS, ...converted.properties },
  };
}

/** Builds the CustomResourceDefinition of a kind. @throws NotStructuralError */
export function customResourceDefinition(definition: KindDefinition): CustomResourceDefinition {
  const { group, version, kind, plural, singular, shortNames, categories, scope } = definition;
  const schema = kindSchema(definition);
  const hasStatus = schema.properties?.status !== undefined;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      labels: { "app.kubernetes.io/part-of": "shieldx" },
    },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        shortNames: [...shortNames],
        categories: [...categories],
      },
      scope,
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          additionalPrinterColumns: definition.printerColumns.map((column) => ({ ...column })),
          schema: { openAPIV3Schema: schema },
          ...(hasStatus ? { subresources: { status: {} } } : {}),
        },
      ],
    },
  };
}

/** ShieldGenerator: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { conditions } from "../kubernetes/condition.ts";
import { labelSelector } from "../kubernetes/label-selector.ts";
import { dnsLabel } from "../kubernetes/names.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { AS_LABEL_VALUE, shortName } from "../kubernetes/short-name.ts";
import { standingCondition } from "../kubernetes/standing-expressions.ts";
import { variable } from "../shieldpolicy/cel.ts";
import { anyObject, atomicList, count, mapList, text } from "../structural/fields.ts";
import { GENERATED_KINDS } from "./generated-kinds.ts";

/** Condition types of a ShieldGenerator. */
export const SHIELD_GENERATOR_CONDITIONS = ["Ready"] as const;

/** Entries of `status.problems`. */
export const MAX_GENERATOR_PROBLEMS = 10;

const generated = z
  .object({
    name: dnsLabel().describe("Name of the entry."),
    object: anyObject().describe(
      `The object without its namespace: apiVersion, kind (${GENERATED_KINDS.map(({ kind }) => kind).join(", ")}), metadata ` +
        `(name, labels, annotations) and what else the kind has. A string that begins with \${ and ends with } is one CEL ` +
        `expression and gives any value, e.g. hard: {pods: "\${namespaceObject.metadata.annotations['pods']}"}; all other ` +
        "strings stay as they are. apiVersion, kind and metadata.name are written out.",
    ),
    synchronize: z
      .boolean()
      .default(true)
      .describe(
        "Whether the object is kept as written here and removed when it is no longer wanted. false: it is made where it is " +
          "missing, and from then on belongs to whoever owns the namespace.",
      ),
  })
  .describe("One object to keep in every namespace that matches.");

const spec = z
  .object({
    namespaceSelector: labelSelector().describe(
      "Labels of the namespaces that receive the objects; {} means every namespace. Never kube-* and ShieldX's own.",
    ),
    matchConditions: mapList(standingCondition, { max: 16, keys: ["name"] })
      .describe(
        "CEL conditions over namespaceObject which must all be true for a namespace to receive the objects.",
      )
      .exactOptional(),
    variables: mapList(variable, { max: 64, keys: ["name"] })
      .describe("Named values over namespaceObject, for use in the expressions of objects: variables.<name>.")
      .exactOptional(),
    objects: mapList(generated, { min: 1, max: 16, keys: ["name"] }).describe(
      "Objects to keep in every namespace that matches.",
    ),
  })
  .describe("Which namespaces receive which objects.");

const problem = z
  .object({
    namespace: text({ max: 63 }).describe("The namespace."),
    object: text({ max: 400 })
      .describe("Kind and name of the object; absent for the namespace as a whole.")
      .exactOptional(),
    reason: text({ max: 128 }).describe("Why, as one CamelCase word for programs."),
    message: text({ max: 1024 }).describe("What is in the way, and what to do about it."),
  })
  .describe("One object that is not in step, or one namespace.");

const status = z.object({
  observedGeneration: count().describe("The metadata.generation this status is about.").exactOptional(),
  conditions: conditions(
    "What is true of the generator now. Ready: every object is in every namespace that matches, as it is written.",
  ).exactOptional(),
  namespaces: count().describe("Namespaces that match.").exactOptional(),
  objects: count().describe("Objects that there should be in them.").exactOptional(),
  inStep: count().describe("Objects that are there as they should be.").exactOptional(),
  problems: atomicList(problem, { max: MAX_GENERATOR_PROBLEMS })
    .describe("The first ten objects that are not in step, by namespace.")
    .exactOptional(),
});

/** Schema of a whole ShieldGenerator. */
export const shieldGeneratorSchema = z
  .object({
    apiVersion: z.literal("shieldx.io/v1alpha1"),
    kind: z.literal("ShieldGenerator"),
    metadata: objectMeta(),
    spec,
    status: status
      .describe("What became of the generator; written by the operator, never by people.")
      .exactOptional(),
  })
  .check(shortName("ShieldGenerator", AS_LABEL_VALUE))
  .describe(
    "ShieldGenerator keeps objects (NetworkPolicy, ResourceQuota, ...) in every namespace that matches: made for new ones, kept " +
      "as written, removed when the namespace no longer matches or the generator goes. What is not its own it never touches.",
  );

/** A ShieldGenerator with its defaults applied. */
export type ShieldGenerator = z.output<typeof shieldGeneratorSchema>;
/** `spec` of a ShieldGenerator. */
export type ShieldGeneratorSpec = ShieldGenerator["spec"];
/** `status` of a ShieldGenerator. */
export type ShieldGeneratorStatus = z.output<typeof status>;

/** Names, columns and schema of the kind. */
export const shieldGeneratorKind = defineKind({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "ShieldGenerator",
  plural: "shieldgenerators",
  singular: "shieldgenerator",
  shortNames: ["sgen"],
  categories: ["shieldx"],
  scope: "Cluster",
  schema: shieldGeneratorSchema,
  printerColumns: [
    {
      name: "Namespaces",
      type: "integer",
      jsonPath: ".status.namespaces",
      description: "Namespaces that match.",
    },
    {
      name: "Objects",
      type: "integer",
      jsonPath: ".status.objects",
      description: "Objects there should be.",
    },
    {
      name: "In Step",
      type: "integer",
      jsonPath: ".status.inStep",
      description: "Objects that are as written.",
    },
    {
      name: "Ready",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: "Whether every object is as written.",
    },
    {
      name: "Reason",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: "Why it is ready or not.",
    },
    {
      name: "Age",
      type: "date",
      jsonPath: ".metadata.creationTimestamp",
      description: "Time since creation.",
    },
  ],
});

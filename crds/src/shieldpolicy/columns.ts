/** Columns of `kubectl get` that every kind of policy has. */
import type { PrinterColumn } from "../definition/kind.ts";

export const engineColumn: PrinterColumn = {
  name: "Engine",
  type: "string",
  jsonPath: ".spec.engine",
  description: "How the policy is written.",
};

/** What the policy does, who does it, and how far that has come. */
export const standingColumns: readonly PrinterColumn[] = [
  {
    name: "Action",
    type: "string",
    jsonPath: ".spec.actions.admission",
    description: "What happens to requests.",
  },
  {
    name: "Enforced By",
    type: "string",
    jsonPath: ".status.enforcedBy",
    description: "Who acts on requests.",
  },
  {
    name: "Loaded",
    type: "string",
    jsonPath: ".status.loadedBy",
    description: "Webhook replicas with this version.",
  },
  {
    name: "Violating",
    type: "integer",
    jsonPath: ".status.counts.violating",
    description: "Existing objects that break the policy.",
  },
  {
    name: "Ready",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: "Whether the policy is in force as written.",
  },
];

/** The last ones. */
export const reasonAndAge: readonly PrinterColumn[] = [
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "Why the policy is ready or not.",
    priority: 1,
  },
  {
    name: "Age",
    type: "date",
    jsonPath: ".metadata.creationTimestamp",
    description: "Time since creation.",
  },
];

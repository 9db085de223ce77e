/** A template's Rego with a constraint's parameters, as `spec.rego` of a ShieldPolicy. */
import { packagePath } from "../decisions/package-path.ts";
import { inventoryOf, type Synced } from "./gatekeeper-inventory.ts";
import type { RegoCode, Template } from "./gatekeeper-template.ts";
import { LiteralError, regoLiteral } from "./literals.ts";
import { type Plain, stated } from "./plain.ts";
import type { Source } from "./source.ts";

/** The rule that gives the template its input, as Gatekeeper's hook does. */
const rule = "shieldx_violation";
const nameable = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What the template may ask Gatekeeper for, and ShieldX has not. */
const unavailable: readonly (readonly [word: RegExp, what: string])[] = [
  [
    /\bexternal_data\b/,
    "asks an external data Provider: call the host with http.send and spec.rego.allowedHosts",
  ],
  [/\b_unstable\b/, "reads input.review._unstable: choose namespaces by spec.match.namespaceSelector"],
  [
    /\bnamespaceObject\b/,
    "reads input.review.namespaceObject: choose namespaces by spec.match.namespaceSelector, or list Namespace in spec.rego.inventory and look it up",
  ],
];

/** Undefined, with the reasons told to the template or the constraint, where it cannot be carried over. */
export function regoOf(
  { source, operations }: Template,
  code: RegoCode,
  parameters: unknown,
  constraint: Source,
  synced: Synced,
): Plain | undefined {
  const path = packagePath(code.module);
  const where = "spec.targets[0]";
  if (path === undefined || !path.every((name) => nameable.test(name))) {
    source.error(
      where,
      "its Rego begins with no package of plain names, such as package k8srequiredlabels: rename it",
    );
    return undefined;
  }
  const texts = [code.module, ...code.libs];
  for (const [word, what] of unavailable)
    if (texts.some((text) => word.test(text))) source.error(where, `its Rego ${what}`);
  if (texts.some((text) => text.includes(rule)))
    source.error(where, `its Rego has the name ${rule}, which ShieldX's own rule has: rename it`);
  const hook = hookOf(code, parameters, operations, constraint);
  const inventory = inventoryOf(source, texts, synced);
  if (hook === undefined || source.isFaulty) return undefined;
  return stated({
    version: code.version,
    entrypoint: `data.${path.join(".")}.${rule}`,
    module: `${code.module.trimEnd()}\n\n${hook}`,
    libs: code.libs,
    inventory,
  });
}

/**
 * Gatekeeper evaluates templates with the review and the constraint's parameters as input, and nothing else
 * (frameworks, pkg/client/drivers/rego/rego.go); of a DELETE it makes the old object the object (pkg/target/target.go).
 */
function hookOf(
  { module, version }: RegoCode,
  parameters: unknown,
  operations: readonly string[],
  constraint: Source,
): string | undefined {
  let literal: string;
  try {
    literal = regoLiteral(parameters);
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error;
    constraint.error("spec.parameters", `${error.message}: simplify it`);
    return undefined;
  }
  const isNew = version === "v1" || /^[ \t]*import[ \t]+rego\.v1[ \t]*$/m.test(module);
  const deletes = operations.some((operation) => operation === "DELETE" || operation === "*");
  const review = deletes ? "shieldx_review" : "input.review";
  const head = isNew ? `${rule} contains result if {` : `${rule}[result] {`;
  const input = `{"review": ${review}, "parameters": ${literal.replaceAll("\n", "\n  ")}}`;
  const lines = [
    "# What Gatekeeper gives a template: the review, and the constraint's parameters.",
    head,
    `  violation[result] with input as ${input}`,
    "}",
  ];
  return `${[...lines, ...(deletes ? reviewOfDeletion(isNew) : [])].join("\n")}\n`;
}

function reviewOfDeletion(isNew: boolean): string[] {
  const [head, otherwise] = isNew
    ? ["shieldx_review := review if {", "} else := input.review"]
    : ["shieldx_review = review {", "} else = input.review { true }"];
  return [
    "",
    head,
    '  input.review.operation == "DELETE"',
    '  review := object.union(input.review, {"object": input.review.oldObject})',
    otherwise,
  ];
}

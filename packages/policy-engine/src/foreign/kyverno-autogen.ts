/**
 * What Kyverno derives of a policy about Pods by itself: the same rules about what makes Pods, on its template
 * (pkg/cel/autogen, support.go, data.go; pkg/cel/policies/mpol/autogen).
 */
import { type Token, tokenize } from "../cel/lexer.ts";
import { isPlain, isTexts, type Plain, textAt } from "./plain.ts";
import type { Source } from "./source.ts";

/** Kinds whose Pods are described at the same place. */
export interface Controllers {
  readonly name: "controllers" | "cronjobs";
  /** Where the template is. */
  readonly path: readonly string[];
  readonly resources: readonly string[];
}

const groupOfResource: ReadonlyMap<string, string> = new Map([
  ...["daemonsets", "deployments", "replicasets", "statefulsets"].map((name) => [name, "apps"] as const),
  ["jobs", "batch"],
  ["cronjobs", "batch"],
]);

/** None for a policy that Kyverno leaves as it is. */
export function controllersOf(source: Source): Controllers[] {
  const constraints = source.record("spec.matchConstraints");
  const chosen = source.texts("spec.autogen.podControllers.controllers") ?? [...groupOfResource.keys()];
  if (constraints === undefined || !isAboutPodsOnly(constraints)) return [];
  const known = chosen.filter((name) => groupOfResource.has(name));
  const plain = known.filter((name) => name !== "cronjobs");
  const all: Controllers[] = [
    { name: "controllers", path: ["spec", "template"], resources: plain },
    {
      name: "cronjobs",
      path: ["spec", "jobTemplate", "spec", "template"],
      resources: known.filter((name) => name === "cronjobs"),
    },
  ];
  return all.filter(({ resources }) => resources.length > 0);
}

function isAboutPodsOnly({ objectSelector, excludeResourceRules, resourceRules }: Plain): boolean {
  if (isPlain(objectSelector) && Object.keys(objectSelector).length > 0) return false;
  if (Array.isArray(excludeResourceRules) && excludeResourceRules.length > 0) return false;
  if (!Array.isArray(resourceRules) || resourceRules.length !== 1) return false;
  const [rule] = resourceRules as readonly unknown[];
  if (!isPlain(rule) || (Array.isArray(rule.resourceNames) && rule.resourceNames.length > 0)) return false;
  const is = (field: string, only: string): boolean => {
    const list = rule[field];
    return isTexts(list) && list.length === 1 && list[0] === only;
  };
  return is("apiGroups", "") && is("apiVersions", "v1") && is("resources", "pods");
}

/** undefined where the changes it makes cannot be moved. */
export function forControllers(spec: Plain, controllers: Controllers): Plain | undefined {
  const mutations = mapped(spec.mutations, (mutation) => movedMutation(mutation, controllers));
  if (mutations?.includes(undefined) === true) return undefined;
  const { matchConstraints } = spec;
  if (!isPlain(matchConstraints)) return undefined;
  return {
    ...spec,
    matchConstraints: {
      resourceRules: rulesOf(matchConstraints, controllers),
      ...(matchConstraints.namespaceSelector === undefined
        ? {}
        : { namespaceSelector: matchConstraints.namespaceSelector }),
    },
    ...Object.fromEntries(
      ["matchConditions", "variables", "validations", "auditAnnotations"].flatMap((field) => {
        const moved = mapped(spec[field], (entry) => movedEntry(entry, controllers));
        return moved === undefined ? [] : [[field, moved]];
      }),
    ),
    ...(mutations === undefined ? {} : { mutations }),
  };
}

function mapped<T>(list: unknown, move: (entry: Plain) => T): T[] | undefined {
  return Array.isArray(list) ? list.filter(isPlain).map(move) : undefined;
}

function rulesOf({ resourceRules }: Plain, { resources }: Controllers): Plain[] {
  const [rule] = Array.isArray(resourceRules) ? (resourceRules as readonly unknown[]) : [];
  const operations = isPlain(rule) ? rule.operations : undefined;
  return ["apps", "batch"].flatMap((group) => {
    const ofGroup = resources.filter((name) => groupOfResource.get(name) === group).sort();
    return ofGroup.length === 0
      ? []
      : [{ apiGroups: [group], apiVersions: ["v1"], operations, resources: ofGroup }];
  });
}

const expressions = ["expression", "messageExpression", "valueExpression"];

function movedEntry(entry: Plain, controllers: Controllers): Plain {
  return Object.fromEntries(
    Object.entries(entry).map(([key, value]) => [
      key,
      expressions.includes(key) && typeof value === "string" ? inTemplate(value, controllers) : value,
    ]),
  );
}

function movedMutation(mutation: Plain, controllers: Controllers): Plain | undefined {
  const expression = textAt(mutation, "applyConfiguration", "expression");
  if (expression === undefined) return undefined;
  return { ...mutation, applyConfiguration: { expression: inTemplate(expression, controllers) } };
}

/**
 * The expression about the template of the object: `object.spec.x` becomes `object.spec.template.spec.x`. Of the metadata
 * only labels and annotations are the Pod's; its name and namespace are those of what makes it.
 */
export function inTemplate(expression: string, { path }: Pick<Controllers, "path">): string {
  const tokens = tokenize(expression);
  const edits = new Map<number, string>();
  const closing = new Map<number, string>();
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "ident" || isSelected(tokens, index)) continue;
    if (token.text === "object" || token.text === "oldObject") {
      const field = movedField(tokens, index, false);
      if (field !== undefined) edits.set(field.at, `${path.join(".")}.${field.text}`);
    } else if (token.text === "Object") moveType(tokens, index, path, edits, closing);
  }
  return written(expression, edits, closing);
}

function isSelected(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1]?.text;
  return before === "." || (before === "?" && tokens[index - 2]?.text === ".");
}

/** The name after a dot, of `object.spec`, or of `object.metadata` before labels or annotations. */
function movedField(tokens: readonly Token[], index: number, isType: boolean): Token | undefined {
  const [field, at] = selectedBy(tokens, index);
  if (field?.text === "spec") return field;
  if (field?.text !== "metadata") return undefined;
  const [part] = selectedBy(tokens, at);
  return isType || part?.text === "labels" || part?.text === "annotations" ? field : undefined;
}

function selectedBy(tokens: readonly Token[], index: number): readonly [Token | undefined, number] {
  if (tokens[index + 1]?.text !== ".") return [undefined, index];
  const at = tokens[index + 2]?.text === "?" ? index + 3 : index + 2;
  return [tokens[at], at];
}

/** `Object.spec.x{…}` names the type of a part; `Object{…}` is the whole, which the template is now a part of. */
function moveType(
  tokens: readonly Token[],
  index: number,
  path: readonly string[],
  edits: Map<number, string>,
  closing: Map<number, string>,
): void {
  const field = movedField(tokens, index, true);
  if (field !== undefined) edits.set(field.at, `${path.join(".")}.${field.text}`);
  const open = tokens[index + 1];
  const end = open?.text === "{" ? partnerOf(tokens, index + 1) : undefined;
  if (open === undefined || end === undefined) return;
  const wraps = path.map((part, depth) => `${part}: Object.${path.slice(0, depth + 1).join(".")}{`);
  edits.set(open.at, `{${wraps.join("")}`);
  closing.set(end.at, "}".repeat(path.length));
}

function partnerOf(tokens: readonly Token[], open: number): Token | undefined {
  let depth = 0;
  for (let index = open; index < tokens.length; index++) {
    const token = tokens[index];
    if (token?.text === "{") depth++;
    if (token?.text === "}" && --depth === 0) return token;
  }
  return undefined;
}

/** From the end, so that what is still to be replaced stays where it is. */
function written(
  source: string,
  edits: ReadonlyMap<number, string>,
  closing: ReadonlyMap<number, string>,
): string {
  const tokens = tokenize(source).filter(({ at }) => edits.has(at) || closing.has(at));
  return tokens.reverse().reduce((text, { at, text: old }) => {
    const now = edits.get(at) ?? `${old}${closing.get(at) ?? ""}`;
    return text.slice(0, at) + now + text.slice(at + old.length);
  }, source);
}

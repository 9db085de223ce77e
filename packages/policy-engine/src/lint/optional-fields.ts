/**
 * Fields of Kubernetes' objects that are often not there and that the API server gives no default (k8s.io/api: `omitempty`
 * without a default). Reading one that is missing is an error in CEL.
 */
import type { ShieldPolicySpec } from "@shieldx/crds";
import { walk } from "../cel/admission/walk.ts";
import { type Expr, OPERATOR, type SelectExpr } from "../cel/ast.ts";
import type { ParsedExpression } from "./cel-findings.ts";
import { finding, type LintFinding } from "./rules.ts";

const optional: ReadonlySet<string> = new Set([
  ...["labels", "annotations", "ownerReferences", "finalizers", "generateName"],
  ...["initContainers", "ephemeralContainers", "volumes", "hostNetwork", "hostPID", "hostIPC", "hostUsers"],
  ...["nodeSelector", "affinity", "tolerations", "imagePullSecrets", "priorityClassName", "runtimeClassName"],
  ...["topologySpreadConstraints", "activeDeadlineSeconds", "automountServiceAccountToken"],
  ...[
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "envFrom",
    "volumeMounts",
    "command",
    "args",
  ],
  ...[
    "limits",
    "requests",
    "capabilities",
    "privileged",
    "allowPrivilegeEscalation",
    "runAsNonRoot",
    "runAsUser",
  ],
  ...[
    "runAsGroup",
    "readOnlyRootFilesystem",
    "seccompProfile",
    "seLinuxOptions",
    "appArmorProfile",
    "procMount",
  ],
  ...["hostPath", "configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "hostPort"],
  ...["externalIPs", "externalName", "loadBalancerSourceRanges", "loadBalancerIP", "loadBalancerClass"],
  ...["ingressClassName", "tls", "defaultBackend", "podSelector", "namespaceSelector", "ipBlock", "egress"],
]);
/** `securityContext` of a container is one; that of a Pod is there. */
const optionalInLoops: ReadonlySet<string> = new Set(["securityContext", "ports", "env", "resources"]);

export function fieldFindings(parsed: readonly ParsedExpression[]): LintFinding[] {
  const earlier = new Set<string>();
  return parsed.flatMap((each) => {
    const own = guardsIn(each);
    const isGuarded = (text: string) => own.has(text) || earlier.has(text);
    const found = each.use === "message" ? [] : unguarded(each, isGuarded);
    // What a matchCondition makes sure of holds for all that follows.
    if (each.use === "condition") for (const guard of own) earlier.add(guard);
    return found.map((text) => finding("unchecked-optional-field", each.path, `${text} is not always there`));
  });
}

/** Variables that hold an optional, and expressions that read a field of what is in it. */
export function optionalVariableFindings(
  spec: ShieldPolicySpec,
  parsed: readonly ParsedExpression[],
): LintFinding[] {
  const optionalAt = new Set(
    parsed.filter(({ use, expr }) => use === "variable" && isOptionalChain(expr)).map(({ path }) => path),
  );
  const names = new Set(
    (spec.variables ?? []).flatMap(({ name }, at) =>
      optionalAt.has(`spec.variables[${at}].expression`) ? [name] : [],
    ),
  );
  if (names.size === 0) return [];
  return parsed.flatMap(({ path, expr }) => {
    const found = new Set<string>();
    walk(expr, (node) => {
      const held = steppedInto(node);
      if (held?.kind === "select" && held.operand.kind === "ident" && held.operand.name === "variables")
        if (names.has(held.field)) found.add(held.field);
    });
    return [...found].map((name) =>
      finding("optional-in-variable", path, `what is after variables.${name} is never found`),
    );
  });
}

/** What a step is taken from: `a` of `a.b`, `a.?b`, `a[b]`, `a[?b]`. */
function steppedInto(node: Expr): Expr | undefined {
  if (node.kind === "select") return node.operand;
  const isStep =
    node.kind === "call" &&
    [OPERATOR.index, OPERATOR.optionalIndex, OPERATOR.optionalSelect].some((name) => name === node.name);
  return isStep ? node.args[0] : undefined;
}

/** Texts of fields whose presence is asked for somewhere: `has(a.b)`, `a.?b`, `'b' in a`. */
function guardsIn({ expr, written }: ParsedExpression): Set<string> {
  const guards = new Set<string>();
  walk(expr, (node) => {
    if (node.kind === "select" && node.isTest) guards.add(fieldText(node, written));
    if (node.kind !== "call") return;
    const [first, second] = node.args;
    if (first === undefined || second === undefined) return;
    if (node.name === OPERATOR.in && first.kind === "literal" && typeof first.value === "string")
      guards.add(`${plain(written.textOf(second))}.${first.value}`);
    if (
      node.name === OPERATOR.optionalSelect &&
      second.kind === "literal" &&
      typeof second.value === "string"
    )
      guards.add(`${plain(written.textOf(first))}.${second.value}`);
  });
  return guards;
}

function unguarded({ expr, written }: ParsedExpression, isGuarded: (text: string) => boolean): string[] {
  const found = new Set<string>();
  const loops = loopVariables(expr);
  walk(expr, (node) => {
    if (node.kind !== "select" || node.isTest || !isOptional(node, loops)) return;
    const text = fieldText(node, written);
    if (!isGuarded(text) && !isOptionalChain(node.operand)) found.add(text);
  });
  return [...found];
}

function isOptional({ field, operand }: SelectExpr, loops: ReadonlySet<string>): boolean {
  if (!isPartOfObject(operand, loops)) return false;
  return (
    optional.has(field) || (optionalInLoops.has(field) && operand.kind === "ident" && loops.has(operand.name))
  );
}

/** Of params and variables nothing is known. */
function isPartOfObject(expr: Expr, loops: ReadonlySet<string>): boolean {
  if (expr.kind === "select") return isPartOfObject(expr.operand, loops);
  if (expr.kind === "call" && expr.name === OPERATOR.index && expr.args[0] !== undefined)
    return isPartOfObject(expr.args[0], loops);
  return expr.kind === "ident" && (expr.name === "object" || loops.has(expr.name));
}

/** After `.?` everything is optional. */
function isOptionalChain(expr: Expr): boolean {
  if (expr.kind === "select") return isOptionalChain(expr.operand);
  return (
    expr.kind === "call" && (expr.name === OPERATOR.optionalSelect || expr.name === OPERATOR.optionalIndex)
  );
}

/** Names of loops over lists of the object, such as `c` in `object.spec.containers.all(c, …)`. */
function loopVariables(expr: Expr): ReadonlySet<string> {
  const names = new Set<string>();
  walk(expr, (node) => {
    if (node.kind === "comprehension" && isPartOfObject(node.range, names))
      names.add(node.iterVar2 ?? node.iterVar);
  });
  return names;
}

function fieldText({ operand, field }: SelectExpr, written: ParsedExpression["written"]): string {
  return `${plain(written.textOf(operand))}.${field}`;
}

function plain(text: string): string {
  return text.replaceAll(/[\s?]/g, "");
}

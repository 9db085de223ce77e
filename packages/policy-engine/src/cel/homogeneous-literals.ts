import type { Expr, ListExpr, MapExpr } from "./ast.ts";
import { childrenOf } from "./children.ts";
import { formatType } from "./format-type.ts";
import { type CelType, ERROR } from "./types.ts";

/** Tells of a mistake at an expression. */
type Report = (at: number, message: string) => void;
type TypeOf = (expr: Expr) => CelType;

/**
 * Reports elements of lists and maps whose type is another than that of the first: cel-go's
 * ValidateHomogeneousAggregateLiterals (cel/validator.go). Arguments of `format` are let be.
 */
export function reportMixedLiterals(expr: Expr, typeOf: TypeOf, report: Report): void {
  if (expr.kind === "call" && expr.name === "format") return;
  if (expr.kind === "list") checkList(expr, typeOf, report);
  if (expr.kind === "map") checkMap(expr, typeOf, report);
  for (const child of childrenOf(expr)) reportMixedLiterals(child, typeOf, report);
}

/** The same but for the names of type parameters. */
function isEquivalent(a: CelType, b: CelType): boolean {
  if (a.kind !== b.kind || a.params.length !== b.params.length) return false;
  if (a.kind !== "param" && a.name !== b.name) return false;
  return a.params.every((param, at) => isEquivalent(param, b.params[at] ?? ERROR));
}

const inner = (type: CelType, isOptional: boolean): CelType => (isOptional ? (type.params[0] ?? type) : type);
const mismatch = (expected: CelType, actual: CelType): string =>
  `expected type '${formatType(expected)}' but found '${formatType(actual)}'`;

function checkList(expr: ListExpr, typeOf: TypeOf, report: Report): void {
  let expected: CelType | undefined;
  for (const { value, isOptional } of expr.elements) {
    const type = inner(typeOf(value), isOptional);
    expected ??= type;
    if (isEquivalent(expected, type)) continue;
    report(value.at, mismatch(expected, type));
    return;
  }
}

function checkMap(expr: MapExpr, typeOf: TypeOf, report: Report): void {
  const [first] = expr.entries;
  if (first === undefined) return;
  const keyType = typeOf(first.key);
  const valueType = inner(typeOf(first.value), first.isOptional);
  for (const { key, value, isOptional } of expr.entries) {
    const type = inner(typeOf(value), isOptional);
    if (!isEquivalent(keyType, typeOf(key))) report(key.at, mismatch(keyType, typeOf(key)));
    if (!isEquivalent(valueType, type)) report(value.at, mismatch(valueType, type));
  }
}

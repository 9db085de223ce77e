import {
  type Ast,
  type CallExpr,
  type ComprehensionExpr,
  type Expr,
  type IdentExpr,
  type ListExpr,
  type MapExpr,
  OPERATOR,
  type SelectExpr,
  type StructExpr,
} from "./ast.ts";
import type { CheckedAst, Reference } from "./checked.ts";
import type { CelEnvironment } from "./environment.ts";
import { CelCompileError, type CelIssue } from "./errors.ts";
import { formatSignature, formatType } from "./format-type.ts";
import { reportMixedLiterals } from "./homogeneous-literals.ts";
import type { FunctionDeclaration } from "./library.ts";
import { locate } from "./location.ts";
import { resolveOverloads } from "./overload-resolution.ts";
import { spelledName } from "./spelled-name.ts";
import {
  BOOL,
  type CelType,
  DYN,
  ERROR,
  INT,
  isOptionalType,
  listType,
  mapType,
  optionalType,
} from "./types.ts";
import { isDyn, mostGeneral, Unification, unwrapOptional } from "./unification.ts";
import { typeOf } from "./values.ts";

/** Variables of a comprehension, innermost first. */
interface Scope {
  readonly name: string;
  readonly type: CelType;
  readonly outer: Scope | undefined;
}

/** Most mistakes that are told of one expression, as in cel-go (common/errors.go). */
const MAX_ISSUES = 100;

/**
 * Finds the type of every part of an expression and what each name means. Throws `CelCompileError` with all mistakes,
 * in the words of cel-go (checker/errors.go).
 */
export function check(ast: Ast, env: CelEnvironment): CheckedAst {
  return new Checker(ast, env).checkAll();
}

class Checker {
  readonly #ast: Ast;
  readonly #env: CelEnvironment;
  readonly #types = new Map<Expr, CelType>();
  readonly #references = new Map<Expr, Reference>();
  readonly #issues: CelIssue[] = [];
  readonly #unification = new Unification();
  #scope: Scope | undefined;

  constructor(ast: Ast, env: CelEnvironment) {
    this.#ast = ast;
    this.#env = env;
  }

  checkAll(): CheckedAst {
    const type = this.#check(this.#ast.expr);
    this.#throwIfFaulty();
    const types = new Map<Expr, CelType>();
    for (const [expr, found] of this.#types) types.set(expr, this.#unification.substitute(found, true));
    const resultType = this.#unification.substitute(type, true);
    const checked = { ...this.#ast, type: resultType, types, references: this.#references };
    if (this.#env.options.homogeneousLiterals === true) {
      const typeOfExpr = (expr: Expr): CelType => types.get(expr) ?? ERROR;
      reportMixedLiterals(checked.expr, typeOfExpr, (at, message) => this.#report(at, message));
      this.#throwIfFaulty();
    }
    return checked;
  }

  #throwIfFaulty(): void {
    if (this.#issues.length === 0) return;
    const inOrder = this.#issues.toSorted((a, b) => a.line - b.line || a.column - b.column);
    throw new CelCompileError(inOrder, this.#ast.source);
  }

  #check(expr: Expr): CelType {
    const type = this.#typeOf(expr);
    this.#types.set(expr, type);
    return type;
  }

  #typeOf(expr: Expr): CelType {
    switch (expr.kind) {
      case "literal":
        return typeOf(expr.value);
      case "ident":
        return this.#ident(expr);
      case "select":
        return this.#select(expr);
      case "call":
        return this.#call(expr);
      case "list":
        return this.#list(expr);
      case "map":
        return this.#map(expr);
      case "struct":
        return this.#struct(expr);
      case "comprehension":
        return this.#comprehension(expr);
    }
  }

  #ident(expr: IdentExpr): CelType {
    const local = this.#local(expr.name);
    if (local !== undefined) {
      this.#references.set(expr, { kind: "ident", name: expr.name, isLocal: true });
      return local.type;
    }
    return this.#global(expr, expr.name) ?? this.#undeclared(expr, expr.name);
  }

  #local(name: string): Scope | undefined {
    for (let scope = this.#scope; scope !== undefined; scope = scope.outer)
      if (scope.name === name) return scope;
    return undefined;
  }

  #global(expr: Expr, name: string): CelType | undefined {
    const found = this.#env.findIdent(name);
    if (found === undefined) return undefined;
    const reference = { kind: "ident", name: found.name, isLocal: false } as const;
    this.#references.set(expr, "value" in found ? { ...reference, constant: found.value } : reference);
    return found.type;
  }

  #undeclared(expr: Expr, name: string): CelType {
    this.#report(expr.at, `undeclared reference to '${name}' (in container '${this.#env.container}')`);
    return ERROR;
  }

  #select(expr: SelectExpr): CelType {
    // A chain of selections may be the dotted name of a variable.
    const name = expr.isTest ? undefined : spelledName(expr);
    if (name !== undefined && this.#local(name.split(".")[0] ?? "") === undefined) {
      const type = this.#global(expr, name);
      if (type !== undefined) return type;
    }
    const type = this.#field(expr, expr.operand, expr.field, false);
    return expr.isTest ? BOOL : this.#unification.substitute(type, false);
  }

  #field(expr: Expr, operand: Expr, field: string, isOptional: boolean): CelType {
    const operandType = this.#unification.substitute(this.#check(operand), false);
    const type = this.#fieldType(expr, unwrapOptional(operandType), field);
    return isOptional || isOptionalType(operandType) ? optionalType(type) : type;
  }

  #fieldType(expr: Expr, target: CelType, field: string): CelType {
    switch (target.kind) {
      case "map":
        return target.params[1] ?? DYN;
      case "struct":
        return this.#declaredField(expr.at, target.name, field) ?? ERROR;
      case "param":
        this.#unification.assign(DYN, target);
        return DYN;
      case "dyn":
      case "any":
      case "error":
        return DYN;
      default:
        this.#report(expr.at, `type '${formatType(target)}' does not support field selection`);
        return DYN;
    }
  }

  #declaredField(at: number, typeName: string, field: string): CelType | undefined {
    const declaration = this.#env.findType(`.${typeName}`);
    if (declaration === undefined) {
      this.#report(at, `unexpected failed resolution of '${typeName}'`);
      return undefined;
    }
    const type = declaration.fields.get(field);
    if (type === undefined) this.#report(at, `undefined field '${field}'`);
    return type;
  }

  #call(expr: CallExpr): CelType {
    if (expr.name === OPERATOR.optionalSelect) return this.#optionalSelect(expr);
    for (const arg of expr.args) this.#check(arg);
    if (expr.target === undefined) {
      const declaration = this.#env.findFunction(expr.name);
      return declaration === undefined
        ? this.#undeclared(expr, expr.name)
        : this.#overloads(expr, declaration, expr.args, undefined);
    }
    const prefix = spelledName(expr.target);
    const namespaced = prefix === undefined ? undefined : this.#env.findFunction(`${prefix}.${expr.name}`);
    if (namespaced !== undefined) return this.#overloads(expr, namespaced, expr.args, undefined);
    this.#check(expr.target);
    const declaration = this.#env.findFunction(expr.name);
    return declaration === undefined
      ? this.#undeclared(expr, expr.name)
      : this.#overloads(expr, declaration, expr.args, expr.target);
  }

  #optionalSelect(expr: CallExpr): CelType {
    const [operand, field] = expr.args;
    if (operand === undefined || field?.kind !== "literal" || typeof field.value !== "string") {
      this.#report(expr.at, "unsupported optional field selection");
      return ERROR;
    }
    return this.#unification.substitute(this.#field(expr, operand, field.value, true), false);
  }

  #overloads(
    expr: CallExpr,
    declaration: FunctionDeclaration,
    args: readonly Expr[],
    target: Expr | undefined,
  ): CelType {
    const types = (target === undefined ? args : [target, ...args]).map(
      (arg) => this.#types.get(arg) ?? ERROR,
    );
    if (declaration.name === OPERATOR.and || declaration.name === OPERATOR.or) {
      return this.#logic(expr, declaration, types);
    }
    const isMember = target !== undefined;
    const resolution = resolveOverloads(this.#env, this.#unification, declaration, types, isMember);
    if (resolution === undefined) {
      const shown = types.map((type) => this.#unification.substitute(type, true));
      this.#report(
        expr.at,
        `found no matching overload for '${declaration.name}' applied to '${formatSignature(shown, isMember)}'`,
      );
      return ERROR;
    }
    this.#references.set(expr, {
      kind: "call",
      name: declaration.name,
      overloads: resolution.overloads,
      isNamespaced: expr.target !== undefined && !isMember,
    });
    return resolution.result;
  }

  /** Operands of `&&` and `||` are told apart, other than arguments of functions. */
  #logic(expr: CallExpr, declaration: FunctionDeclaration, types: readonly CelType[]): CelType {
    const wrong = types.filter((type, at) => {
      if (this.#unification.assign(type, BOOL)) return false;
      this.#mismatch(expr.args[at]?.at ?? expr.at, BOOL, type);
      return true;
    });
    if (wrong.length > 0) return ERROR;
    const { name, overloads } = declaration;
    this.#references.set(expr, { kind: "call", name, overloads, isNamespaced: false });
    return BOOL;
  }

  #list(expr: ListExpr): CelType {
    let joined: CelType | undefined;
    for (const { value, isOptional } of expr.elements) {
      this.#check(value);
      joined = this.#join(joined, this.#entryType(value, isOptional));
    }
    return listType(joined ?? this.#unification.newVariable());
  }

  #map(expr: MapExpr): CelType {
    let keys: CelType | undefined;
    let values: CelType | undefined;
    for (const { key, value, isOptional } of expr.entries) {
      keys = this.#join(keys, this.#check(key));
      this.#check(value);
      values = this.#join(values, this.#entryType(value, isOptional));
    }
    return mapType(keys ?? this.#unification.newVariable(), values ?? this.#unification.newVariable());
  }

  /** The type of a checked element, without the optional it comes in when its place is marked by `?`. */
  #entryType(value: Expr, isOptional: boolean): CelType {
    const type = this.#types.get(value) ?? ERROR;
    if (!isOptional) return type;
    if (!isOptionalType(type) && !isDyn(type)) this.#mismatch(value.at, optionalType(type), type);
    return unwrapOptional(type);
  }

  #join(previous: CelType | undefined, current: CelType): CelType {
    if (previous === undefined) return current;
    if (this.#unification.assign(previous, current)) return mostGeneral(previous, current);
    return DYN;
  }

  #struct(expr: StructExpr): CelType {
    const declaration = this.#env.findType(expr.typeName);
    if (declaration === undefined) {
      const found = this.#env.findIdent(expr.typeName);
      if (found === undefined) return this.#undeclared(expr, expr.typeName);
      const isType = found.type.kind === "type";
      this.#report(expr.at, `'${found.name}' is not a ${isType ? "message type" : "type"}`);
      return ERROR;
    }
    for (const { at, name, value, isOptional } of expr.fields) {
      this.#check(value);
      const type = this.#entryType(value, isOptional);
      const declared = this.#declaredField(at, declaration.name, name) ?? ERROR;
      if (this.#unification.assign(declared, type)) continue;
      const shown = `'${formatType(declared)}' but provided type is '${formatType(type)}'`;
      this.#report(at, `expected type of field '${name}' is ${shown}`);
    }
    return this.#env.findIdent(`.${declaration.name}`)?.type.params[0] ?? ERROR;
  }

  #comprehension(expr: ComprehensionExpr): CelType {
    this.#check(expr.range);
    const accuType = this.#check(expr.init);
    const rangeType = this.#unification.substitute(this.#types.get(expr.range) ?? ERROR, false);
    const outer = this.#scope;
    const accu: Scope = { name: expr.accuVar, type: accuType, outer };
    const [first, second] = this.#iterationTypes(expr, rangeType);
    this.#scope = { name: expr.iterVar, type: first, outer: accu };
    if (expr.iterVar2 !== undefined) this.#scope = { name: expr.iterVar2, type: second, outer: this.#scope };
    this.#expectType(expr.condition, BOOL);
    this.#expectType(expr.step, accuType);
    this.#scope = accu;
    const type = this.#check(expr.result);
    this.#scope = outer;
    return this.#unification.substitute(type, false);
  }

  #iterationTypes(expr: ComprehensionExpr, range: CelType): readonly [CelType, CelType] {
    const hasTwo = expr.iterVar2 !== undefined;
    const [key = DYN, value = DYN] = range.params;
    switch (range.kind) {
      case "list":
        return hasTwo ? [INT, key] : [key, DYN];
      case "map":
        return [key, value];
      case "dyn":
      case "any":
      case "error":
      case "param":
        this.#unification.assign(DYN, range);
        return [DYN, DYN];
      default: {
        const shown = `expression of type '${formatType(range)}'`;
        this.#report(
          expr.range.at,
          `${shown} cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [ERROR, ERROR];
      }
    }
  }

  #expectType(expr: Expr, expected: CelType): void {
    const type = this.#check(expr);
    if (!this.#unification.assign(expected, type)) this.#mismatch(expr.at, expected, type);
  }

  #mismatch(at: number, expected: CelType, actual: CelType): void {
    this.#report(at, `expected type '${formatType(expected)}' but found '${formatType(actual)}'`);
  }

  #report(at: number, message: string): void {
    if (this.#issues.length >= MAX_ISSUES) return;
    this.#issues.push({ ...locate(this.#ast.source, at), message });
  }
}

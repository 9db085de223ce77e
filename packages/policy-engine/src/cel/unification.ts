import { CelCompileError } from "./errors.ts";
import { CelType, isOptionalType, sameType, typeParam } from "./types.ts";

/** Most steps that matching the types of one expression may take: parameters that stand for parameters multiply them. */
const MAX_STEPS = 20_000_000;

export const isDyn = (type: CelType): boolean => type.kind === "dyn" || type.kind === "any";
const isDynOrError = (type: CelType): boolean => isDyn(type) || type.kind === "error";

/** The type inside an optional, or the type itself. */
export function unwrapOptional(type: CelType): CelType {
  return (isOptionalType(type) ? type.params[0] : undefined) ?? type;
}

/**
 * What type parameters stand for, found out by matching types against each other. A match that fails leaves nothing
 * behind. The rules are those of cel-go's checker/types.go.
 */
export class Unification {
  readonly #bound = new Map<string, CelType>();
  /** What to put back when a match fails: names with what they stood for before. */
  readonly #trail: (readonly [string, CelType | undefined])[] = [];
  /** What types came to by the parameters known so far, with parameters left as they are and with dyn in their place. */
  readonly #substituted = { open: new Map<CelType, CelType>(), dyn: new Map<CelType, CelType>() };
  #variables = 0;
  #steps = 0;

  /** A type that is not known yet. */
  newVariable(): CelType {
    return typeParam(`_var${this.#variables++}`);
  }

  /** Whether a value of either type may stand for the other; what that says about parameters is kept. */
  assign(a: CelType, b: CelType): boolean {
    return this.#attempt(() => this.#assign(a, b));
  }

  assignAll(a: readonly CelType[], b: readonly CelType[]): boolean {
    return this.#attempt(() => this.#assignAll(a, b));
  }

  /** The type with parameters replaced by what they stand for; those that stand for nothing become dyn if `toDyn`. */
  substitute(type: CelType, toDyn: boolean): CelType {
    if (type.kind === "param") {
      const bound = this.#bound.get(type.name);
      if (bound !== undefined) return this.substitute(bound, toDyn);
      return toDyn ? DYN_TYPE : type;
    }
    if (type.params.length === 0) return type;
    const known = toDyn ? this.#substituted.dyn : this.#substituted.open;
    const found = known.get(type);
    if (found !== undefined) return found;
    this.#step(1);
    const params = type.params.map((param) => this.substitute(param, toDyn));
    const isSame = params.every((param, at) => param === type.params[at]);
    const substituted = isSame ? type : new CelType(type.kind, type.name, params);
    known.set(type, substituted);
    return substituted;
  }

  #step(count: number): void {
    this.#steps += count;
    if (this.#steps > MAX_STEPS)
      throw new CelCompileError([
        { line: -1, column: -1, message: "types of the expression are too complex" },
      ]);
  }

  #same(a: CelType, b: CelType): boolean {
    this.#step(a === b ? 1 : Math.min(a.parts, b.parts));
    return sameType(a, b);
  }

  #forget(): void {
    if (this.#substituted.open.size > 0) this.#substituted.open.clear();
    if (this.#substituted.dyn.size > 0) this.#substituted.dyn.clear();
  }

  #attempt(match: () => boolean): boolean {
    const mark = this.#trail.length;
    if (match()) return true;
    if (this.#trail.length > mark) this.#forget();
    while (this.#trail.length > mark) {
      const [name, before] = this.#trail.pop() ?? ["", undefined];
      if (before === undefined) this.#bound.delete(name);
      else this.#bound.set(name, before);
    }
    return false;
  }

  #bind(param: CelType, type: CelType): void {
    this.#trail.push([param.name, this.#bound.get(param.name)]);
    this.#bound.set(param.name, type);
    this.#forget();
  }

  #assign(a: CelType, b: CelType): boolean {
    this.#step(1);
    if (b.kind === "param") {
      const { isValid, isKnown } = this.#substitutes(a, b);
      if (isValid) return true;
      if (isKnown) return false;
    }
    if (a.kind === "param") return this.#substitutes(b, a).isValid;
    if (isDynOrError(a) || isDynOrError(b)) return true;
    if (a.kind === "null") return isNullable(b);
    if (b.kind === "null") return isNullable(a);
    if (a.kind === "wrapper" || b.kind === "wrapper") return this.#same(unwrapNullable(a), unwrapNullable(b));
    switch (a.kind) {
      case "type":
        return b.kind === "type";
      case "opaque":
      case "list":
      case "map":
        return a.kind === b.kind && a.name === b.name && this.#assignAll(a.params, b.params);
      default:
        return this.#same(a, b);
    }
  }

  #assignAll(a: readonly CelType[], b: readonly CelType[]): boolean {
    if (a.length !== b.length) return false;
    return a.every((type, at) => {
      const other = b[at];
      return other !== undefined && this.#assign(type, other);
    });
  }

  /** Whether `type` may be what `param` stands for; and whether that was already settled. */
  #substitutes(type: CelType, param: CelType): { isValid: boolean; isKnown: boolean } {
    if (this.#same(type, param)) return { isValid: true, isKnown: true };
    const bound = this.#bound.get(param.name);
    if (bound === undefined) {
      const isValid = this.#isFree(param, type);
      if (isValid) this.#bind(param, type);
      return { isValid, isKnown: false };
    }
    if (this.#same(type, bound)) return { isValid: true, isKnown: true };
    if (!this.#assign(type, bound)) return { isValid: false, isKnown: true };
    const general = mostGeneral(type, bound);
    if (this.#isFree(param, general)) this.#bind(param, general);
    return { isValid: true, isKnown: true };
  }

  /** Whether `param` does not occur in `within`. */
  #isFree(param: CelType, within: CelType, seen: Set<CelType> = new Set()): boolean {
    if (this.#same(param, within)) return false;
    if (seen.has(within)) return true;
    if (within.kind === "param") {
      seen.add(within);
      const bound = this.#bound.get(within.name);
      return bound === undefined || this.#isFree(param, bound, seen);
    }
    if (within.params.length === 0) return true;
    seen.add(within);
    return within.params.every((inner) => this.#isFree(param, inner, seen));
  }
}

const DYN_TYPE = new CelType("dyn", "dyn");

function isNullable(type: CelType): boolean {
  switch (type.kind) {
    case "opaque":
    case "struct":
    case "any":
    case "duration":
    case "timestamp":
    case "wrapper":
    case "null":
      return true;
    default:
      return false;
  }
}

const unwrapNullable = (type: CelType): CelType =>
  type.kind === "wrapper" ? (type.params[0] ?? type) : type;

/** The one of two matching types that says less. */
export function mostGeneral(a: CelType, b: CelType): CelType {
  return isLessSpecific(a, b) ? a : b;
}

function isLessSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === "param") return true;
  if (isDyn(b) || b.kind === "param" || a.kind !== b.kind) return false;
  switch (a.kind) {
    case "opaque":
    case "list":
    case "map":
      return (
        a.name === b.name &&
        a.params.length === b.params.length &&
        a.params.every((param, at) => {
          const other = b.params[at];
          return other !== undefined && isLessSpecific(param, other);
        })
      );
    case "type":
      return true;
    default:
      return sameType(a, b);
  }
}

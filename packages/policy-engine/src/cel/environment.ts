import type { Ast } from "./ast.ts";
import type {
  Constant,
  FunctionDeclaration,
  Library,
  ObjectTypeDeclaration,
  Overload,
  TypeProvider,
} from "./library.ts";
import type { CelMacro } from "./macro.ts";
import { parse } from "./parser.ts";
import { standardLibrary } from "./standard/index.ts";
import { type CelType, structType, typeType } from "./types.ts";

export interface Variable {
  readonly name: string;
  readonly type: CelType;
}

export interface EnvironmentOptions {
  /** Besides the standard library. */
  readonly libraries?: readonly Library[];
  readonly variables?: readonly Variable[];
  /** Object types besides those of libraries. */
  readonly types?: TypeProvider;
  /** The namespace in which names are looked up first, such as `com.example`. */
  readonly container?: string;
  /** `a.?b`, `a[?b]`, `[?x]`, `{?k: v}`. */
  readonly optionalSyntax?: boolean;
  /** Field names in backquotes. */
  readonly identEscapeSyntax?: boolean;
  /** It is a mistake to write out a list or map whose elements have different types. */
  readonly homogeneousLiterals?: boolean;
  /** `1 < 2.5` type-checks. */
  readonly crossTypeNumericComparisons?: boolean;
}

/** What an expression may refer to: variables, functions, types, and the syntax that is open to it. */
export class CelEnvironment {
  readonly options: EnvironmentOptions;
  readonly #functions = new Map<string, FunctionDeclaration>();
  readonly #variables = new Map<string, CelType>();
  readonly #constants = new Map<string, Constant>();
  readonly #providers: TypeProvider[] = [];
  readonly #macros: CelMacro[] = [];

  constructor(options: EnvironmentOptions = {}) {
    this.options = options;
    for (const library of [standardLibrary, ...(options.libraries ?? [])]) this.#addLibrary(library);
    for (const { name, type } of options.variables ?? []) this.#variables.set(name, type);
    if (options.types !== undefined) this.#providers.unshift(options.types);
  }

  #addLibrary(library: Library): void {
    for (const declaration of library.functions) {
      const known = this.#functions.get(declaration.name);
      this.#functions.set(declaration.name, known === undefined ? declaration : merge(known, declaration));
    }
    for (const constant of library.constants ?? []) this.#constants.set(constant.name, constant);
    if (library.types !== undefined) this.#providers.push(library.types);
    this.#macros.push(...(library.macros ?? []));
  }

  get container(): string {
    return this.options.container ?? "";
  }

  /** Throws `CelCompileError`. */
  parse(source: string): Ast {
    const { optionalSyntax = false, identEscapeSyntax = false } = this.options;
    return parse(source, { macros: this.#macros, optionalSyntax, identEscapeSyntax });
  }

  /** The function that a name means here, with the name it is declared by. */
  findFunction(name: string): FunctionDeclaration | undefined {
    return this.#firstOf(name, (candidate) => this.#functions.get(candidate));
  }

  /** The variable or constant that a (dotted) name means here. */
  findIdent(name: string): Variable | Constant | undefined {
    return this.#firstOf(name, (candidate) => {
      const type = this.#variables.get(candidate);
      if (type !== undefined) return { name: candidate, type };
      return this.#constants.get(candidate) ?? this.#typeConstant(candidate);
    });
  }

  /** The object type that a (dotted) name means here. */
  findType(name: string): ObjectTypeDeclaration | undefined {
    return this.#firstOf(name, (candidate) => this.#typeNamed(candidate));
  }

  #typeNamed(name: string): ObjectTypeDeclaration | undefined {
    for (const provider of this.#providers) {
      const found = provider.findType(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #typeConstant(name: string): Constant | undefined {
    const found = this.#typeNamed(name);
    if (found === undefined) return undefined;
    const type = structType(found.name);
    return { name: found.name, type: typeType(type), value: type };
  }

  /** Tries a name in the container, then in each of the namespaces around it (specification, "Name Resolution"). */
  #firstOf<T>(name: string, find: (candidate: string) => T | undefined): T | undefined {
    if (name.startsWith(".")) return find(name.slice(1));
    for (let container = this.container; container !== ""; ) {
      const found = find(`${container}.${name}`);
      if (found !== undefined) return found;
      container = container.slice(0, Math.max(0, container.lastIndexOf(".")));
    }
    return find(name);
  }
}

/** Overloads of both; one that replaces another of the same id wins. */
function merge(a: FunctionDeclaration, b: FunctionDeclaration): FunctionDeclaration {
  const replaced = new Set(b.overloads.map((overload) => overload.id));
  const overloads = [...bound(a).filter((overload) => !replaced.has(overload.id)), ...bound(b)];
  return { name: a.name, overloads };
}

/** Overloads with the implementation that they share put into each. */
function bound(declaration: FunctionDeclaration): readonly Overload[] {
  const { singleton, work } = declaration;
  if (singleton === undefined) return declaration.overloads;
  const shared = work === undefined ? { call: singleton } : { call: singleton, work };
  return declaration.overloads.map((overload) => ({ ...overload, ...shared }));
}

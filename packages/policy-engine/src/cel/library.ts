import type { CelMacro } from "./macro.ts";
import type { CelType } from "./types.ts";
import type { CelValue } from "./values.ts";

/** One way to call a function. */
export interface Overload {
  /** The overload's id, spelled as upstream spells it (`string_to_int`), for messages and cost tables. */
  readonly id: string;
  /** `receiver.name(args)` rather than `name(args)`. */
  readonly isMember: boolean;
  /** Types of the arguments; a member's receiver comes first. */
  readonly params: readonly CelType[];
  readonly result: CelType;
  /** Gets arguments that fit `params` (by `matchesType`); throws `CelError` where there is no value. */
  readonly call: (...args: CelValue[]) => CelValue;
  /** What a call costs, in cel-go's units (~50 ns); 1 when left out. Called after `call`. */
  readonly cost?: (args: readonly CelValue[], result: CelValue) => number;
  /**
   * `cost` holds only where the checker alone could choose the overload, as with the standard functions of cel-go;
   * a call whose overload is chosen at run time costs 1.
   */
  readonly isCostStatic?: boolean;
  /** `cost` goes by the arguments alone and is charged before the call, which may take long. */
  readonly isCostAhead?: boolean;
  /**
   * What a call touches and makes, in units of work.ts, for arguments that fit; counted before the call. The sizes of
   * the arguments when left out. What only shows during the call is counted by `spend` there.
   */
  readonly work?: (...args: CelValue[]) => number;
}

export interface FunctionDeclaration {
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** One implementation for all overloads, in place of theirs: it sorts out the types of its arguments by itself. */
  readonly singleton?: (...args: CelValue[]) => CelValue;
  /** `work` of the singleton, for arguments of any type. */
  readonly work?: (...args: CelValue[]) => number;
}

/** An object type: what `Name{...}` may build and which fields a selection may name. */
export interface ObjectTypeDeclaration {
  readonly name: string;
  readonly fields: ReadonlyMap<string, CelType>;
  /** Makes the value of `Name{field: value}`; a `CelStruct` of all given fields when left out. */
  readonly construct?: (fields: ReadonlyMap<string, CelValue>) => CelValue;
}

/** Finds object types; types may be made up when asked for (`Object.spec.template`), so it is not a table. */
export interface TypeProvider {
  findType(name: string): ObjectTypeDeclaration | undefined;
}

export interface Library {
  readonly name: string;
  readonly functions: readonly FunctionDeclaration[];
  readonly macros?: readonly CelMacro[];
  /** Object types and, by `findType`, families of them. */
  readonly types?: TypeProvider;
  /** Named constants such as enum values and type names (`optional_type`, `net.IP`). */
  readonly constants?: readonly Constant[];
}

export interface Constant {
  readonly name: string;
  readonly type: CelType;
  readonly value: CelValue;
}

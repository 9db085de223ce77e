export type { Ast, Expr, ExprFactory } from "./ast.ts";
export type { CheckedAst } from "./checked.ts";
export { check } from "./checker.ts";
export { CelEnvironment, type EnvironmentOptions, type Variable } from "./environment.ts";
export { equals } from "./equality.ts";
export {
  CelAbort,
  CelCompileError,
  CelCostError,
  CelDeadlineError,
  CelError,
  type CelIssue,
  CelPending,
  CelWorkError,
  formatIssue,
} from "./errors.ts";
export { encodersLibrary } from "./ext/encoders.ts";
export { listsLibrary } from "./ext/lists.ts";
export { mathLibrary } from "./ext/math.ts";
export { optionalsLibrary } from "./ext/optionals.ts";
export { type StringsOptions, stringsLibrary } from "./ext/strings.ts";
export { bindingsLibrary, twoVariableLibrary } from "./ext/two-variable.ts";
export { formatType } from "./format-type.ts";
export { formatValue } from "./format-value.ts";
export { type Activation, bindings, type EvaluateOptions } from "./frame.ts";
export type {
  Constant,
  FunctionDeclaration,
  Library,
  ObjectTypeDeclaration,
  Overload,
  TypeProvider,
} from "./library.ts";
export type { CelMacro } from "./macro.ts";
export { BIND_MACRO, OPTIONAL_MACROS, STANDARD_MACROS, TWO_VARIABLE_MACROS } from "./macros.ts";
export { mapEntries, mapGet, mapHas, mapKeys, mapSize } from "./maps.ts";
export type { Observer } from "./observed.ts";
export { compile, type Evaluation, type Outcome, Program } from "./program.ts";
export * from "./types.ts";
export * from "./values.ts";
export { type Span, WrittenText } from "./written.ts";

/** Reads CEL source and changes names in it, by the positions of tokens that the parser's tree points to. */
import { admissionLibraries } from "../cel/admission/libraries.ts";
import { walk } from "../cel/admission/walk.ts";
import type { Expr } from "../cel/ast.ts";
import { CelCompileError, CelEnvironment } from "../cel/index.ts";
import { type Token, tokenize } from "../cel/lexer.ts";

const environment = new CelEnvironment({
  libraries: admissionLibraries,
  variables: [],
  optionalSyntax: true,
  homogeneousLiterals: false,
  crossTypeNumericComparisons: true,
});

/** The expression as a tree, macros expanded; undefined for what is no CEL. */
export function parseCel(source: string): Expr | undefined {
  try {
    return environment.parse(source).expr;
  } catch (error) {
    // The parser bounds the depth, but the caller may have used up most of the stack.
    if (error instanceof CelCompileError || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Whether the expression names this variable anywhere, also under a loop that means something else by it. */
export function namesVariable(expr: Expr, variable: string): boolean {
  let isNamed = false;
  walk(expr, (node) => {
    isNamed ||= node.kind === "ident" && bare(node.name) === variable;
  });
  return isNamed;
}

/**
 * Renames fields of one variable: `variables.x` becomes `variables.y` for `rename("x") === "y"`. undefined where that
 * cannot be told from the text: the variable is used as a whole, a loop's own variable bears its name, or `rename`
 * knows no name.
 */
export function renameFields(
  source: string,
  expr: Expr,
  variable: string,
  rename: (field: string) => string | undefined,
): string | undefined {
  const positions = positionsOf(expr, variable);
  if (positions === undefined) return undefined;
  const tokens = tokenize(source);
  const indexOf = new Map(tokens.map((token, index) => [token.at, index]));
  let text = source;
  // From the end, so that what is still to be replaced stays where it is.
  for (const at of [...positions].sort((a, b) => b - a)) {
    const field = fieldAfter(tokens, indexOf.get(at), variable);
    const name = field && rename(field.text);
    if (field === undefined || name === undefined) return undefined;
    text = text.slice(0, field.at) + name + text.slice(field.at + field.text.length);
  }
  return text;
}

/** Where the variable is named; a macro that doubles its argument names it twice at one place. */
function positionsOf(expr: Expr, variable: string): ReadonlySet<number> | undefined {
  const positions = new Set<number>();
  let isShadowed = false;
  walk(expr, (node) => {
    if (node.kind === "ident" && bare(node.name) === variable) positions.add(node.at);
    if (node.kind === "comprehension") {
      isShadowed ||= [node.iterVar, node.iterVar2, node.accuVar].includes(variable);
    }
  });
  return isShadowed ? undefined : positions;
}

/** The field in `variable . field`, and nothing else: no call, no `.?field`, no name in backquotes. */
function fieldAfter(
  tokens: readonly Token[],
  index: number | undefined,
  variable: string,
): Token | undefined {
  if (index === undefined) return undefined;
  const [name, dot, field, next] = tokens.slice(index, index + 4);
  if (name?.text !== variable || dot?.text !== "." || field?.kind !== "ident") return undefined;
  return next?.text === "(" ? undefined : field;
}

function bare(name: string): string {
  return name.startsWith(".") ? name.slice(1) : name;
}

import { labelValueErrors, qualifiedNameErrors } from "./name-formats.ts";

/**
 * Field and label selectors of authorization checks, in the form a SubjectAccessReview carries them
 * (authorization.k8s.io/v1 FieldSelectorAttributes, LabelSelectorAttributes). A selector that cannot be read counts
 * as none: the check is then made without it, which can only be answered more strictly (KEP-4601).
 */
export interface SelectorRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values: readonly string[];
}

/** Reads a field selector (apimachinery pkg/fields), terms in order of their text; undefined when malformed. */
export function parseFieldSelector(text: string): SelectorRequirement[] | undefined {
  const requirements: SelectorRequirement[] = [];
  for (const term of splitTerms(text).sort()) {
    if (term === "") continue;
    const requirement = parseFieldTerm(term);
    if (requirement === undefined) return undefined;
    requirements.push(requirement);
  }
  return requirements;
}

/** Splits at commas that no backslash escapes. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === ",") {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...terms, text.slice(start)];
}

/** The first `!=`, `==` or `=` splits a term: a key cannot hold one. */
function parseFieldTerm(term: string): SelectorRequirement | undefined {
  const equals = term.indexOf("=");
  if (equals < 0) return undefined;
  const negated = term[equals - 1] === "!";
  const doubled = !negated && term[equals + 1] === "=";
  const value = unescapeFieldValue(term.slice(equals + (doubled ? 2 : 1)));
  if (value === undefined) return undefined;
  return {
    key: term.slice(0, negated ? equals - 1 : equals),
    operator: negated ? "NotIn" : "In",
    values: [value],
  };
}

/** Undoes the backslash before `\`, `,` and `=`; undefined when one of these stands alone or another is escaped. */
function unescapeFieldValue(text: string): string | undefined {
  let value = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "\\") {
      at++;
      const escaped = text.charAt(at);
      if (escaped === "" || !"\\,=".includes(escaped)) return undefined;
      value += escaped;
    } else if (character === "," || character === "=") {
      return undefined;
    } else {
      value += character;
    }
  }
  return value;
}

/** Reads a label selector (apimachinery pkg/labels), sorted by key; undefined when malformed. */
export function parseLabelSelector(text: string): SelectorRequirement[] | undefined {
  const tokens = scanLabelSelector(text);
  const requirements: SelectorRequirement[] = [];
  const reader = new TokenReader(tokens);
  while (reader.peek() !== undefined) {
    const requirement = parseLabelRequirement(reader);
    if (requirement === undefined) return undefined;
    if (requirement !== "not expressible") requirements.push(requirement);
    const next = reader.take();
    if (next === undefined) break;
    if (next !== "," || !startsRequirement(reader.peek())) return undefined;
  }
  return requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

const symbols = new Set(["=", "==", "!=", "!", ">", "<", "(", ")", ","]);

const isIdentifier = (token: string | undefined): token is string =>
  token !== undefined && !symbols.has(token);

const startsRequirement = (token: string | undefined): boolean => token === "!" || isIdentifier(token);

/** Symbols, longest first, and the words between them. */
function scanLabelSelector(text: string): string[] {
  // A NUL ends the text, as it does for the server's lexer.
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).match(/==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+/g) ?? [];
}

/** The tokens still to come. */
class TokenReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  take(): string | undefined {
    return this.#tokens[this.#at++];
  }
}

/** `>` and `<` are well-formed, but a review has no operator for them: the server leaves such requirements out. */
type LabelRequirement = SelectorRequirement | "not expressible" | undefined;

function parseLabelRequirement(reader: TokenReader): LabelRequirement {
  const negated = reader.peek() === "!";
  if (negated) reader.take();
  const key = reader.take();
  if (!isIdentifier(key) || qualifiedNameErrors(key).length > 0) return undefined;
  const next = reader.peek();
  if (negated || next === undefined || next === ",") {
    return { key, operator: negated ? "DoesNotExist" : "Exists", values: [] };
  }
  return parseComparison(reader, key);
}

function parseComparison(reader: TokenReader, key: string): LabelRequirement {
  const operator = reader.take();
  switch (operator) {
    case "in":
    case "notin":
      return withValues(key, operator === "in" ? "In" : "NotIn", parseValueSet(reader));
    case "=":
    case "==":
      return withValues(key, "In", parseExactValue(reader));
    case "!=":
      return withValues(key, "NotIn", parseExactValue(reader));
    case ">":
    case "<":
      return parseExactValue(reader)?.every(isIntegerLabel) === true ? "not expressible" : undefined;
    default:
      return undefined;
  }
}

function withValues(
  key: string,
  operator: SelectorRequirement["operator"],
  values: readonly string[] | undefined,
): SelectorRequirement | undefined {
  if (values?.every((value) => labelValueErrors(value).length === 0) !== true) return undefined;
  return { key, operator, values: [...new Set(values)].sort() };
}

/** Both an int64 and a label value, so without a sign. */
function isIntegerLabel(text: string): boolean {
  return /^[0-9]{1,63}$/.test(text) && BigInt(text) < 2n ** 63n;
}

/** The value behind `=`: nothing at the end of a requirement is the empty value. */
function parseExactValue(reader: TokenReader): string[] | undefined {
  const next = reader.peek();
  if (next === undefined || next === ",") return [""];
  return isIdentifier(next) ? [reader.take() ?? ""] : undefined;
}

/** `(a, b)`: nothing between two of the marks `(`, `,` and `)` is the empty value. */
function parseValueSet(reader: TokenReader): string[] | undefined {
  if (reader.take() !== "(") return undefined;
  const values: string[] = [];
  for (;;) {
    values.push(isIdentifier(reader.peek()) ? (reader.take() ?? "") : "");
    const mark = reader.take();
    if (mark === ")") return values;
    if (mark !== ",") return undefined;
  }
}

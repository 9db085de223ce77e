/**
 * `yaml.*` (OPA's v1/topdown/encoding.go and internal/yaml): YAML 1.2's core schema with merge keys, the first
 * document of a stream whose rest must parse too, the last of equal keys.
 */
import { Scalar, type ScalarTag, stringify, YAMLParseError } from "yaml";
import {
  enterValue,
  isArray,
  isNumber,
  isSet,
  maxValueDepth,
  type RegoValue,
  ValueDepthError,
} from "../values.ts";
import { countWork } from "../work-meter.ts";
import { type Builtin, BuiltinError, EvaluationError, LimitError } from "./contract.ts";
import { formatFloat } from "./go/float-text.ts";
import { jsonEntries } from "./go/json-text.ts";
import { isDigit, parseDecimal } from "./go/number-text.ts";
import { refuseLongText, refuseLongYaml, TextLength } from "./limits.ts";
import { builtin, failure, operand, textOperand, toBigInt } from "./operands.ts";
import { type Documents, readDocuments } from "./yaml-documents.ts";

/** How many values aliases may stand for in total. */
const maxAliases = 10_000;
/** Nesting of flow and block collections, guessed before parsing: the parser recurses. */
const maxBrackets = 500;

function tooNested(text: string): boolean {
  let depth = 0;
  let indent = 0;
  for (const character of text) {
    if (character === "[" || character === "{" || character === "-" || character === "?") {
      depth += 1;
    } else if (character === "]" || character === "}") {
      depth -= 1;
    } else if (character === "\n") {
      depth = Math.max(0, depth - indent);
      indent = 0;
    }
    if (character === "-" || character === "?") {
      indent += 1;
    }
    if (depth > maxBrackets) {
      return true;
    }
  }
  return false;
}

function lineMessage({ documents, lineOf }: Documents): string | undefined {
  const error = documents.flatMap((document) => document.errors)[0];
  if (error === undefined) return undefined;
  const what = error.message.split("\n")[0] ?? "";
  return `yaml: line ${lineOf(error.pos[0])}: did not find expected structure: ${what}`;
}

/** Keys as they stand in JSON. */
function keyText(key: unknown): string {
  if (typeof key === "string") {
    return key;
  }
  if (key === null || typeof key === "boolean" || typeof key === "number" || typeof key === "bigint") {
    return String(key);
  }
  throw failure("unsupported map key of a composite type");
}

function wholeNumber(value: bigint): RegoValue {
  const number = parseDecimal(value.toString());
  if (number === undefined) {
    throw failure("json: a number is too big");
  }
  return number;
}

/** A parsed node's value as a Rego value; numbers beyond float64 stay exact. */
function regoOf(value: unknown, depth: number): RegoValue {
  if (depth >= maxValueDepth) {
    throw new ValueDepthError();
  }
  if (value === null || value === undefined) {
    return null;
  }
  if (typeof value === "string" || typeof value === "boolean") {
    return value;
  }
  if (typeof value === "bigint") {
    return wholeNumber(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) {
      throw failure(`json: unsupported value: ${value}`);
    }
    return value;
  }
  if (Array.isArray(value)) {
    countWork(1 + value.length);
    return value.map((item) => regoOf(item, depth + 1));
  }
  if (value instanceof Map) {
    countWork(1 + value.size);
    const object: Record<string, RegoValue> = Object.create(null);
    for (const [key, item] of value) {
      object[keyText(key)] = regoOf(item, depth + 1);
    }
    return object;
  }
  throw failure("unsupported YAML value");
}

function documentsOf(text: string): Documents {
  if (tooNested(text)) {
    throw new LimitError(`yaml: nested more than ${maxBrackets} levels deep`);
  }
  return readDocuments(text);
}

/** `parseYaml` for texts that may come from anywhere. @throws BuiltinError when a text is no YAML, LimitError when it is too long. */
export function readYaml(text: string): RegoValue {
  refuseLongYaml(text);
  return parseYaml(text);
}

/** @throws BuiltinError when a text is no YAML. */
export function parseYaml(text: string): RegoValue {
  try {
    const read = documentsOf(text);
    const broken = lineMessage(read);
    if (broken !== undefined) {
      throw failure(broken);
    }
    return regoOf(read.documents[0]?.toJS({ mapAsMap: true, maxAliasCount: maxAliases }), 0);
  } catch (error) {
    if (
      error instanceof BuiltinError ||
      error instanceof EvaluationError ||
      error instanceof ValueDepthError
    ) {
      throw error;
    }
    // The library's own limit, which OPA does not have as such.
    if (error instanceof ReferenceError && error.message.includes("alias count")) {
      throw new LimitError("yaml: the aliases stand for too many values", { cause: error });
    }
    if (error instanceof RangeError && error.message.includes("call stack")) {
      throw new LimitError("yaml: nested too deep", { cause: error });
    }
    if (error instanceof YAMLParseError || error instanceof ReferenceError || error instanceof RangeError) {
      throw failure(`yaml: ${error.message}`, error);
    }
    throw failure("yaml: the document cannot be read", error);
  }
}

const OLD_BOOLEANS: ReadonlySet<string> = new Set(["y", "n", "yes", "no", "on", "off"]);

/** Digits and colons: what YAML 1.1 reads as a number of base 60. */
function isBase60(text: string): boolean {
  const start = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
  return (
    text.includes(":") &&
    isDigit(text.charCodeAt(start)) &&
    Array.from(text.slice(start)).every((character) => "0123456789:_.".includes(character))
  );
}

/** Tabs, and spaces at the end of one of several lines, are lost to the eye. */
function hasHiddenSpace(text: string): boolean {
  return text.includes("\t") || (text.includes("\n") && (text.endsWith(" ") || text.includes(" \n")));
}

function isAmbiguous(text: string): boolean {
  return OLD_BOOLEANS.has(text.toLowerCase()) || isBase60(text) || !isTextInYaml(text);
}

/** As go-yaml: double quotes where the text alone would be something else, also to an older reader. */
function textNode(text: string): Scalar<string> {
  refuseLongYaml(text);
  const node = new Scalar(text);
  if (hasHiddenSpace(text) || (!text.includes("\n") && isAmbiguous(text))) {
    node.type = "QUOTE_DOUBLE";
  } else if (text.startsWith("---") || text.startsWith("...")) {
    node.type = "QUOTE_SINGLE";
  }
  return node;
}

/** Whether a plain text is read back as text. */
function isTextInYaml(text: string): boolean {
  if (text.length > 64) {
    return true;
  }
  const known = ["", "~", "null", "true", "false", "<<", ".inf", "-.inf", "+.inf", ".nan"];
  const bare = text.replaceAll("_", "");
  return (
    !known.includes(text.toLowerCase()) &&
    parseDecimal(bare) === undefined &&
    !/^[-+]?0(x[0-9a-f]+|o[0-7]+|b[01]+)$/i.test(bare) &&
    !/^\d{4}-\d\d?-\d\d?/.test(text)
  );
}

/** A float in Go's form, `1e-07`, which the YAML writer has no way to make. */
class FloatText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Each level is written anew by all above it. */
const maxWrittenDepth = 250;

/** Units of work the library takes for a scalar (twice) and for a collection. */
const scalarCost = 8;
const collectionCost = 16;

const floatTag: ScalarTag = {
  tag: "tag:yaml.org,2002:float",
  default: true,
  // Asked of every scalar as it is turned into a node and again as it is written, so work is counted here.
  identify: (value) => {
    countWork(scalarCost + (typeof value === "string" ? value.length >>> 2 : 0));
    return value instanceof FloatText;
  },
  resolve: (text) => new FloatText(text),
  test: /^(?!)/,
  stringify: ({ value }) => (value instanceof FloatText ? value.text : ""),
};

/** The value as the YAML writer takes it: sorted keys, sets as arrays, no prototype within reach. */
function plainOf(value: RegoValue, depth: number, length: TextLength): unknown {
  if (isNumber(value)) {
    countWork(scalarCost);
    const exact = toBigInt(value);
    const isInteger = exact !== undefined && exact >= -(2n ** 63n) && exact < 2n ** 64n;
    return isInteger ? exact : new FloatText(formatFloat(Number(value), "g", -1));
  }
  if (typeof value === "string") {
    return textNode(length.grown(value));
  }
  length.grown("null");
  if (typeof value !== "object" || value === null) {
    return value;
  }
  enterValue(depth);
  if (depth >= maxWrittenDepth) {
    throw new LimitError(`yaml: a value nested more than ${maxWrittenDepth} levels deep is not written`);
  }
  countWork(collectionCost);
  if (isArray(value) || isSet(value)) {
    const list = isSet(value) ? value.sorted() : value;
    return list.map((item) => plainOf(item, depth + 1, length));
  }
  return new Map(
    jsonEntries(value, depth + 1).map(([key, item]) => [
      textNode(length.grown(key)),
      plainOf(item, depth + 1, length),
    ]),
  );
}

function marshalYaml(value: RegoValue): string {
  return stringify(plainOf(value, 0, new TextLength()), {
    indent: 2,
    lineWidth: 0,
    aliasDuplicateObjects: false,
    singleQuote: true,
    customTags: (known) => [floatTag, ...known],
  });
}

export const yamlBuiltins: readonly Builtin[] = [
  builtin("yaml.marshal", 1, (args, context) => {
    const text = marshalYaml(operand(args, 1));
    refuseLongText(text.length);
    context.spend(1 + text.length);
    return text;
  }),
  builtin("yaml.unmarshal", 1, (args, context) => {
    const text = textOperand(args, 1);
    context.spend(1 + text.length);
    return readYaml(text);
  }),
  builtin("yaml.is_valid", 1, (args, context) => {
    const text = operand(args, 1);
    if (typeof text !== "string") {
      return false;
    }
    context.spend(1 + text.length);
    try {
      readYaml(text);
      return true;
    } catch (error) {
      if (error instanceof BuiltinError) {
        return false;
      }
      throw error;
    }
  }),
];

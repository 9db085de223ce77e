/**
 * Whether a document fits a schema, with the errors of OPA's internal/gojsonschema, in its order. The schema is
 * walked, not compiled to code: schemas may come from a request.
 */
import {
  type AnyObject,
  compareNumbers,
  entriesOf,
  equalValues,
  getKey,
  isArray,
  isNumber,
  isObject,
  type RegoNumber,
  RegoObject,
  type RegoValue,
  sizeOf,
  sortedKeysOf,
} from "../values.ts";
import { type BuiltinContext, LimitError } from "./contract.ts";
import { runeCount } from "./go/bytes.ts";
import { formatFloat } from "./go/float-text.ts";
import { jsonText } from "./go/json-text.ts";
import { decimalParts } from "./go/number-text.ts";
import { hasFormat } from "./json-schema-formats.ts";
import { better, inner, nameOf, Outcome, type Place, type SchemaError } from "./json-schema-outcome.ts";
import { failure } from "./operands.ts";
import { compiledPattern, isMatch } from "./patterns.ts";

/** Schemas applied within one another, references followed. */
const maxDepth = 300;
/** Applications of a schema to a value in one match: references can multiply them beyond both sizes. */
const maxApplications = 500_000;

function typeOf(value: RegoValue): string {
  if (value === null) {
    return "null";
  }
  if (isNumber(value)) {
    return typeof value === "bigint" || Number.isInteger(value) ? "integer" : "number";
  }
  return isArray(value) ? "array" : typeof value;
}

function hasType(value: RegoValue, type: RegoValue): boolean {
  const actual = typeOf(value);
  return type === actual || (type === "number" && actual === "integer");
}

/** A decimal as an integer times a power of ten. */
function decimalOf(value: RegoNumber): readonly [digits: bigint, scale: number] {
  const parts = decimalParts(String(value));
  const digits = BigInt(`${parts?.whole ?? ""}${parts?.fraction ?? ""}` || "0");
  return [digits, Number(parts?.exponent ?? 0) - (parts?.fraction.length ?? 0)];
}

function isMultiple(value: RegoNumber, of: RegoNumber): boolean {
  const [digits, scale] = decimalOf(value);
  const [divisor, divisorScale] = decimalOf(of);
  const least = Math.min(scale, divisorScale);
  const scaled = (number: bigint, by: number) => number * 10n ** BigInt(by - least);
  return divisor !== 0n && scaled(digits, scale) % scaled(divisor, divisorScale) === 0n;
}

/** A limit as Go prints it, a big.Float of ten digits. */
const limitText = (value: RegoNumber): string => formatFloat(Number(value), "g", 10);

function limitOf(schema: AnyObject, key: string): RegoNumber | undefined {
  const value = getKey(schema, key);
  return value !== undefined && isNumber(value) ? value : undefined;
}

function listOf(schema: AnyObject, key: string): readonly RegoValue[] {
  const value = getKey(schema, key);
  return value !== undefined && isArray(value) ? value : [];
}

export class SchemaMatch {
  readonly #root: RegoValue;
  readonly #context: BuiltinContext;
  #applications = 0;

  constructor(root: RegoValue, context: BuiltinContext) {
    this.#root = root;
    this.#context = context;
  }

  errorsOf(document: RegoValue): readonly SchemaError[] {
    return this.#outcome(this.#root, document, { path: "", depth: 0 }).errors;
  }

  #outcome(schema: RegoValue, value: RegoValue, place: Place): Outcome {
    const outcome = new Outcome();
    this.#apply(schema, value, place, outcome);
    return outcome;
  }

  #count(place: Place): Place {
    this.#context.spend(4);
    this.#applications += 1;
    if (this.#applications > maxApplications) {
      throw new LimitError(`the match takes more than ${maxApplications} steps`);
    }
    if (place.depth >= maxDepth) {
      throw new LimitError(`schemas apply more than ${maxDepth} deep`);
    }
    return { path: place.path, depth: place.depth + 1 };
  }

  #apply(schema: RegoValue, value: RegoValue, at: Place, outcome: Outcome): void {
    const place = this.#count(at);
    if (!isObject(schema)) {
      if (schema === false) {
        outcome.report(place, "false", "False always fails validation");
      }
      return;
    }
    const reference = getKey(schema, "$ref");
    if (typeof reference === "string") {
      this.#apply(this.#resolve(reference), value, place, outcome);
      return;
    }
    if (!this.#isOfType(schema, value, place, outcome)) {
      return;
    }
    this.#combined(schema, value, place, outcome);
    if (isArray(value)) {
      this.#array(schema, value, place, outcome);
    } else if (isNumber(value)) {
      this.#number(schema, value, place, outcome);
    } else if (isObject(value) && value !== null) {
      this.#object(schema, value, place, outcome);
    }
    this.#fixed(schema, value, place, outcome);
    if (typeof value === "string") {
      this.#text(schema, value, place, outcome);
    } else if (isObject(value) && value !== null && !isArray(value)) {
      this.#properties(schema, value, place, outcome);
    }
    outcome.score += 1;
  }

  /** Only references within the document are followed. */
  #resolve(reference: string): RegoValue {
    if (!reference.startsWith("#")) {
      throw failure(`the schema refers to ${reference}, and other documents are not fetched`);
    }
    let schema: RegoValue | undefined = this.#root;
    for (const segment of reference.slice(1).split("/").slice(1)) {
      const key = decodedOr(segment).replaceAll("~1", "/").replaceAll("~0", "~");
      if (schema !== undefined && isArray(schema)) {
        schema = schema[Number(key)];
      } else {
        schema = schema !== undefined && isObject(schema) ? getKey(schema, key) : undefined;
      }
    }
    if (schema === undefined) {
      throw failure(`Object has no key '${reference}'`);
    }
    return schema;
  }

  #isOfType(schema: AnyObject, value: RegoValue, place: Place, outcome: Outcome): boolean {
    const type = getKey(schema, "type");
    if (type === undefined) {
      return true;
    }
    const types = isArray(type) ? type : [type];
    if (types.length === 0 || types.some((each) => hasType(value, each))) {
      return true;
    }
    const expected = types.length === 1 ? String(types[0]) : `[${types.join(",")}]`;
    outcome.report(place, "invalid_type", `Invalid type. Expected: ${expected}, given: ${typeOf(value)}`);
    return false;
  }

  #combined(schema: AnyObject, value: RegoValue, place: Place, outcome: Outcome): void {
    this.#anyOf(listOf(schema, "anyOf"), value, place, outcome);
    this.#oneOf(listOf(schema, "oneOf"), value, place, outcome);
    this.#allOf(listOf(schema, "allOf"), value, place, outcome);
    const not = getKey(schema, "not");
    if (not !== undefined && this.#outcome(not, value, place).isValid) {
      outcome.report(place, "number_not", "Must not validate the schema (not)");
    }
    this.#dependencies(schema, value, place, outcome);
    this.#conditional(schema, value, place, outcome);
    outcome.score += 1;
  }

  #anyOf(schemas: readonly RegoValue[], value: RegoValue, place: Place, outcome: Outcome): void {
    let best: Outcome | undefined;
    for (const schema of schemas) {
      const each = this.#outcome(schema, value, place);
      if (each.isValid) {
        return;
      }
      best = better(best, each);
    }
    if (best !== undefined) {
      outcome.report(place, "number_any_of", "Must validate at least one schema (anyOf)");
      outcome.merge(best);
    }
  }

  #oneOf(schemas: readonly RegoValue[], value: RegoValue, place: Place, outcome: Outcome): void {
    let best: Outcome | undefined;
    let valid = 0;
    for (const schema of schemas) {
      const each = this.#outcome(schema, value, place);
      if (each.isValid) {
        valid += 1;
      } else {
        best = better(best, each);
      }
    }
    if (schemas.length === 0 || valid === 1) {
      return;
    }
    outcome.report(place, "number_one_of", "Must validate one and only one schema (oneOf)");
    if (valid === 0 && best !== undefined) {
      outcome.merge(best);
    }
  }

  #allOf(schemas: readonly RegoValue[], value: RegoValue, place: Place, outcome: Outcome): void {
    let valid = 0;
    for (const schema of schemas) {
      const each = this.#outcome(schema, value, place);
      valid += each.isValid ? 1 : 0;
      outcome.merge(each);
    }
    if (valid !== schemas.length) {
      outcome.report(place, "number_all_of", "Must validate all the schemas (allOf)");
    }
  }

  #dependencies(schema: AnyObject, value: RegoValue, place: Place, outcome: Outcome): void {
    const dependencies = getKey(schema, "dependencies");
    if (dependencies === undefined || !isObject(dependencies) || !isObject(value) || isArray(value)) {
      return;
    }
    for (const [key, dependency] of entriesOf(dependencies)) {
      if (getKey(value, key) === undefined) {
        continue;
      }
      if (!isArray(dependency)) {
        this.#apply(dependency, value, place, outcome);
        continue;
      }
      for (const needed of dependency) {
        if (getKey(value, needed) === undefined) {
          outcome.report(place, "missing_dependency", `Has a dependency on ${String(needed)}`);
        }
      }
    }
  }

  #conditional(schema: AnyObject, value: RegoValue, place: Place, outcome: Outcome): void {
    const condition = getKey(schema, "if");
    if (condition === undefined) {
      return;
    }
    const branch = this.#outcome(condition, value, place).isValid ? "then" : "else";
    const chosen = getKey(schema, branch);
    const result = chosen === undefined ? undefined : this.#outcome(chosen, value, place);
    if (result !== undefined && !result.isValid) {
      const was = branch === "then" ? "was valid" : "was not valid";
      outcome.report(place, `condition_${branch}`, `Must validate "${branch}" as "if" ${was}`);
      outcome.merge(result);
    }
  }

  #fixed(schema: AnyObject, value: RegoValue, place: Place, outcome: Outcome): void {
    const constant = getKey(schema, "const");
    if (constant !== undefined && !equalValues(constant, value)) {
      outcome.report(place, "const", `${nameOf(place)} does not match: ${jsonText(constant)}`);
    }
    const allowed = getKey(schema, "enum");
    if (allowed !== undefined && isArray(allowed) && !allowed.some((each) => equalValues(each, value))) {
      const shown = allowed.map((each) => jsonText(each)).join(", ");
      outcome.report(place, "enum", `${nameOf(place)} must be one of the following: ${shown}`);
    }
    const format = getKey(schema, "format");
    if (typeof format === "string" && typeof value === "string" && !hasFormat(format, value)) {
      outcome.report(place, "format", `Does not match format '${format}'`);
    }
    outcome.score += 1;
  }

  /** A size against its least and its most. */
  #size(
    schema: AnyObject,
    size: number,
    keys: readonly [least: string, most: string],
    report: (which: 0 | 1, limit: RegoNumber) => void,
  ): void {
    const least = limitOf(schema, keys[0]);
    if (least !== undefined && compareNumbers(size, least) < 0) {
      report(0, least);
    }
    const most = limitOf(schema, keys[1]);
    if (most !== undefined && compareNumbers(size, most) > 0) {
      report(1, most);
    }
  }

  #array(schema: AnyObject, value: readonly RegoValue[], place: Place, outcome: Outcome): void {
    this.#items(schema, value, place, outcome);
    this.#size(schema, value.length, ["minItems", "maxItems"], (which, limit) =>
      which === 0
        ? outcome.report(place, "array_min_items", `Array must have at least ${limit} items`)
        : outcome.report(place, "array_max_items", `Array must have at most ${limit} items`),
    );
    if (getKey(schema, "uniqueItems") === true) {
      const seen = new RegoObject();
      for (const [index, item] of value.entries()) {
        const before = seen.get(item);
        if (before !== undefined) {
          outcome.report(place, "unique", `array items[${String(before)},${index}] must be unique`);
        }
        seen.set(item, index);
      }
    }
    const contains = getKey(schema, "contains");
    if (contains !== undefined) {
      this.#contains(contains, value, place, outcome);
    }
    outcome.score += 1;
  }

  #contains(schema: RegoValue, value: readonly RegoValue[], place: Place, outcome: Outcome): void {
    let best: Outcome | undefined;
    for (const [index, item] of value.entries()) {
      const each = this.#outcome(schema, item, inner(place, String(index)));
      if (each.isValid) {
        return;
      }
      best = better(best, each);
    }
    outcome.report(place, "contains", "At least one of the items must match");
    if (best !== undefined) {
      outcome.merge(best);
    }
  }

  #items(schema: AnyObject, value: readonly RegoValue[], place: Place, outcome: Outcome): void {
    const items = getKey(schema, "items");
    if (items === undefined) {
      return;
    }
    const additional = isArray(items) ? getKey(schema, "additionalItems") : items;
    const positional = isArray(items) ? items : [];
    for (const [index, item] of value.entries()) {
      const own = positional[index] ?? additional;
      if (own === undefined) {
        return;
      }
      if (own === false && index >= positional.length && isArray(items)) {
        outcome.report(place, "array_no_additional_items", "No additional items allowed on array");
        return;
      }
      outcome.merge(this.#outcome(own, item, inner(place, String(index))));
    }
  }

  #object(schema: AnyObject, value: AnyObject, place: Place, outcome: Outcome): void {
    this.#size(schema, sizeOf(value), ["minProperties", "maxProperties"], (which, limit) =>
      which === 0
        ? outcome.report(place, "array_min_properties", `Must have at least ${limit} properties`)
        : outcome.report(place, "array_max_properties", `Must have at most ${limit} properties`),
    );
    for (const key of listOf(schema, "required")) {
      if (getKey(value, key) === undefined) {
        outcome.report(place, "required", `${String(key)} is required`);
      } else {
        outcome.score += 1;
      }
    }
    const keys = sortedKeysOf(value).map(String);
    for (const key of keys) {
      this.#otherProperty(schema, key, getKey(value, key) ?? null, place, outcome);
    }
    const names = getKey(schema, "propertyNames");
    for (const key of names === undefined ? [] : keys) {
      const each = this.#outcome(names ?? true, key, place);
      if (!each.isValid) {
        outcome.report(place, "invalid_property_name", `Property name of "${key}" does not match`);
        outcome.merge(each);
      }
    }
    outcome.score += 1;
  }

  #declared(schema: AnyObject): AnyObject {
    const properties = getKey(schema, "properties");
    return properties !== undefined && isObject(properties) ? properties : {};
  }

  /** What `patternProperties` and `additionalProperties` say of a property. */
  #otherProperty(schema: AnyObject, key: string, value: RegoValue, place: Place, outcome: Outcome): void {
    const matched = this.#patternProperties(schema, key, value, place, outcome);
    const additional = getKey(schema, "additionalProperties");
    if (additional === undefined || matched || getKey(this.#declared(schema), key) !== undefined) {
      return;
    }
    if (additional === false) {
      outcome.report(place, "additional_property_not_allowed", `Additional property ${key} is not allowed`);
    } else {
      outcome.merge(this.#outcome(additional, value, inner(place, key)));
    }
  }

  #patternProperties(
    schema: AnyObject,
    key: string,
    value: RegoValue,
    place: Place,
    outcome: Outcome,
  ): boolean {
    const patterns = getKey(schema, "patternProperties");
    if (patterns === undefined || !isObject(patterns)) {
      return false;
    }
    let matched = false;
    for (const [pattern, each] of entriesOf(patterns)) {
      if (this.#matches(String(pattern), key)) {
        matched = true;
        outcome.merge(this.#outcome(each, value, inner(place, key)));
      }
    }
    outcome.score += matched ? 1 : 0;
    return matched;
  }

  #properties(schema: AnyObject, value: AnyObject, place: Place, outcome: Outcome): void {
    for (const [key, each] of entriesOf(this.#declared(schema))) {
      const own = getKey(value, key);
      if (own !== undefined) {
        this.#apply(each, own, inner(place, String(key)), outcome);
      }
    }
  }

  #matches(pattern: string, text: string): boolean {
    this.#context.spend(1 + Math.floor(text.length / 4));
    return isMatch(compiledPattern(pattern, this.#context), text);
  }

  #text(schema: AnyObject, value: string, place: Place, outcome: Outcome): void {
    this.#size(schema, runeCount(value), ["minLength", "maxLength"], (which, limit) =>
      which === 0
        ? outcome.report(place, "string_gte", `String length must be greater than or equal to ${limit}`)
        : outcome.report(place, "string_lte", `String length must be less than or equal to ${limit}`),
    );
    const pattern = getKey(schema, "pattern");
    if (typeof pattern === "string" && !this.#matches(pattern, value)) {
      outcome.report(place, "pattern", `Does not match pattern '${pattern}'`);
    }
    outcome.score += 1;
  }

  #number(schema: AnyObject, value: RegoNumber, place: Place, outcome: Outcome): void {
    const divisor = limitOf(schema, "multipleOf");
    if (divisor !== undefined && !isMultiple(value, divisor)) {
      outcome.report(place, "multiple_of", `Must be a multiple of ${limitText(divisor)}`);
    }
    this.#bound(schema, "aximum", (limit) => compareNumbers(limit, value), place, outcome);
    this.#bound(schema, "inimum", (limit) => compareNumbers(value, limit), place, outcome);
    outcome.score += 1;
  }

  /** A bound; in draft 4 `exclusive…` is a flag of it, later a bound of its own. `order` is negative beyond it. */
  #bound(
    schema: AnyObject,
    name: "inimum" | "aximum",
    order: (limit: RegoNumber) => number,
    place: Place,
    outcome: Outcome,
  ): void {
    const least = name === "inimum";
    const exclusive = getKey(schema, `exclusiveM${name}`);
    const limit = limitOf(schema, `m${name}`);
    const word = least ? "greater" : "less";
    const strict = exclusive === true ? limit : limitOf(schema, `exclusiveM${name}`);
    if (limit !== undefined && exclusive !== true && order(limit) < 0) {
      outcome.report(
        place,
        least ? "number_gte" : "number_lte",
        `Must be ${word} than or equal to ${limitText(limit)}`,
      );
    }
    if (strict !== undefined && order(strict) <= 0) {
      outcome.report(place, least ? "number_gt" : "number_lt", `Must be ${word} than ${limitText(strict)}`);
    }
  }
}

function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) {
      return text;
    }
    throw error;
  }
}

/**
 * Checks that exist twice: as code that runs here and as the OpenAPI or CEL the API server runs. Both halves are
 * given in one place, so what a person sees offline and what the server answers cannot drift apart. The
 * converter refuses every check it finds without a server half.
 */
import * as z from "zod";

/** CEL `x-kubernetes-validations` entry as it stands in a CustomResourceDefinition. */
export interface ValidationRule {
  rule: string;
  message: string;
  reason?: "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired" | "FieldValueDuplicate";
  fieldPath?: string;
}

/** What a check adds to the structural schema of the value it is attached to. */
export interface StructuralContribution {
  minLength?: number;
  maxLength?: number;
  maxProperties?: number;
  minProperties?: number;
  uniqueItems?: "set" | "map";
  format?: "date-time";
  validations?: readonly ValidationRule[];
}

/** One cross-field rule: the CEL the API server evaluates, and `holds`, the same condition in TypeScript. */
export interface Rule<T> extends ValidationRule {
  holds(value: T): boolean;
}

const contributions = new WeakMap<object, StructuralContribution>();

/** The server's half of a check, or undefined when the check runs only here. */
export function contributionOf(check: object): StructuralContribution | undefined {
  return contributions.get(check);
}

function serverCheck<T>(
  contribution: StructuralContribution,
  run: (payload: z.core.ParsePayload<T>) => void,
): z.core.$ZodCheck<T> {
  const check = z.check<T>(run);
  contributions.set(check, contribution);
  return check;
}

/** Turns `.a.b` of a rule's `fieldPath` into zod's path. */
function pathOf(fieldPath: string | undefined): string[] {
  return fieldPath === undefined ? [] : fieldPath.split(".").filter((part) => part !== "");
}

const BROKEN_RULE = { brokenRule: true };

/** Tells a broken rule from a wrong shape, so that one broken rule does not hide the next. */
function isBrokenRule(issue: z.core.$ZodRawIssue): boolean {
  return issue.params === BROKEN_RULE;
}

/**
 * A cross-field rule as a check: `schema.check(rule<z.output<typeof schema>>({...}))`. It runs, like the server's,
 * only when the value's shape is right, and all broken rules are reported at once.
 */
export function rule<T>({ holds, ...validation }: Rule<T>): z.core.$ZodCheck<T> {
  return serverCheck<T>({ validations: [validation] }, (payload) => {
    if (payload.issues.some((issue) => !isBrokenRule(issue)) || holds(payload.value)) return;
    payload.issues.push({
      code: "custom",
      message: validation.message,
      path: pathOf(validation.fieldPath),
      params: BROKEN_RULE,
      input: payload.value,
      continue: true,
    });
  });
}

/** Length of a string as OpenAPI counts it: in code points, where `String.length` counts UTF-16 units. */
export function codePoints(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

/** Bounds on a string, counted in code points as the API server does. */
export function length(bounds: { min?: number; max: number }): z.core.$ZodCheck<string> {
  const { min, max } = bounds;
  const contribution = min === undefined ? { maxLength: max } : { minLength: min, maxLength: max };
  return serverCheck<string>(contribution, (payload) => {
    const actual = codePoints(payload.value);
    if (actual > max) {
      payload.issues.push({
        code: "custom",
        message: `has ${actual} characters, at most ${max} are allowed`,
        input: payload.value,
        continue: true,
      });
    }
    if (min !== undefined && actual < min) {
      const found = actual === 0 ? "is empty" : `has ${actual} ${actual === 1 ? "character" : "characters"}`;
      payload.issues.push({
        code: "custom",
        message: `${found}, at least ${min} ${min === 1 ? "is" : "are"} needed`,
        input: payload.value,
        continue: true,
      });
    }
  });
}

/** Bounds on the number of entries of a map. */
export function entries(bounds: { min?: number; max: number }): z.core.$ZodCheck<Record<string, unknown>> {
  const { min, max } = bounds;
  const contribution =
    min === undefined ? { maxProperties: max } : { minProperties: min, maxProperties: max };
  return serverCheck<Record<string, unknown>>(contribution, (payload) => {
    const actual = Object.keys(payload.value).length;
    if (actual <= max && actual >= (min ?? 0)) return;
    const wanted = actual > max ? `at most ${max} are allowed` : `at least ${min} needed`;
    payload.issues.push({
      code: "custom",
      message: `has ${actual} entries, ${wanted}`,
      input: payload.value,
      continue: true,
    });
  });
}

/** Items (by `identity`) of a list must differ; the server enforces it for list types `set` and `map`. */
export function distinct<T>(
  uniqueItems: "set" | "map",
  identity: (item: T) => string,
): z.core.$ZodCheck<T[]> {
  return serverCheck<T[]>({ uniqueItems }, (payload) => {
    const seen = new Map<string, number>();
    payload.value.forEach((item, index) => {
      const key = identity(item);
      const first = seen.get(key);
      if (first === undefined) {
        seen.set(key, index);
        return;
      }
      payload.issues.push({
        code: "custom",
        message: `repeats item ${first} (${key}); each may appear once`,
        path: [index],
        input: item,
        continue: true,
      });
    });
  });
}

const WITH_SECONDS = /T\d\d:\d\d:\d\d/;

/**
 * RFC 3339 date and time. The API server wants the seconds, which zod alone would let be left out. Its schema check
 * lets a list through where a string with this format belongs (seen on 1.37); the rule does not.
 */
export function dateTime(): z.core.$ZodCheck<string> {
  const form = z.regexes.datetime({ offset: true });
  const afterEpoch: ValidationRule = {
    rule: "self > timestamp('1970-01-01T00:00:00Z')",
    message: "must be a date and time after 1970",
  };
  return serverCheck<string>({ format: "date-time", validations: [afterEpoch] }, (payload) => {
    const isForm = form.test(payload.value) && WITH_SECONDS.test(payload.value);
    if (isForm && Date.parse(payload.value) > 0) return;
    payload.issues.push({
      code: "custom",
      message: isForm
        ? afterEpoch.message
        : "must be a date and time with seconds and zone, e.g. 2026-12-31T00:00:00Z",
      input: payload.value,
      continue: true,
    });
  });
}

import { codePoints, hasSurrogates, utf8Length } from "../code-points.ts";
import { CelError } from "../errors.ts";
import { formatValue } from "../format-value.ts";
import type { FunctionDeclaration, Library, Overload } from "../library.ts";
import { costSize, traversalCost } from "../size.ts";
import { type CelType, DYN, INT, listType, STRING } from "../types.ts";
import type { CelValue } from "../values.ts";
import { spend, textWork } from "../work.ts";
import { formatText, LOCALIZED, PLAIN } from "./format.ts";
import {
  indexOfText,
  inWindows,
  lastIndexOfText,
  quoteText,
  replaceText,
  splitText,
  substring,
  trimText,
} from "./text.ts";

export interface StringsOptions {
  /** As in cel-go: 2 is what Kubernetes has, 3 adds `reverse`, 4 changes how `format` writes values. */
  readonly version?: number;
}

type Call = Overload["call"];
type Cost = NonNullable<Overload["cost"]>;

// Every method gets arguments that fit its declaration, so the casts only tell the compiler what is known.
const text = (value: CelValue | undefined): string => value as string;
const int = (value: CelValue | undefined): number => Number(value as number | bigint);
const position = (value: CelValue | undefined): number | bigint => value as number | bigint;

function method(id: string, params: readonly CelType[], result: CelType, call: Call, cost?: Cost): Overload {
  const declared: Overload = { id, isMember: true, params, result, call };
  return cost === undefined ? declared : { ...declared, cost };
}

// Costs are those of Kubernetes (library/cost.go in k8s.io/apiserver); cel-go has none for these functions in this version.
const once: Cost = (args) => traversalCost(costSize(args[0] ?? null));
const twice: Cost = (args) => traversalCost(costSize(args[0] ?? null), 2);
const byResult: Cost = (_args, result) => traversalCost(costSize(result), 2);
const bytesOnce: Cost = (args) => Math.floor(utf8Length(text(args[0])) * 0.1);

function charAt(value: CelValue, index: CelValue): CelValue {
  const whole = text(value);
  const points = hasSurrogates(whole) ? codePoints(whole) : whole;
  const at = int(index);
  if (at < 0 || at > points.length) throw new CelError(`index out of range: ${String(index)}`);
  return points[at] ?? "";
}

function join(list: CelValue, separator: CelValue | undefined): CelValue {
  let length = 0;
  const parts = (list as readonly CelValue[]).map((element) => {
    if (typeof element !== "string") throw new CelError(`join: invalid input: ${formatValue(element)}`);
    length += element.length;
    return element;
  });
  const between = separator === undefined ? "" : text(separator);
  spend(textWork(length + between.length * parts.length));
  return parts.join(between);
}

const lowerAscii = (value: string): string => changeAscii(value, /[A-Z]+/g, (upper) => upper.toLowerCase());
const upperAscii = (value: string): string => changeAscii(value, /[a-z]+/g, (lower) => lower.toUpperCase());

/** `change` may be given more than the runs where there is nothing but ASCII. */
function changeAscii(value: string, runs: RegExp, change: (run: string) => string): string {
  if (value.search(runs) === -1) return value;
  return inWindows(value, (part) => {
    if (ASCII.test(part)) return change(part);
    // At worst every other character is a run of its own.
    spend(part.length * 2);
    return part.replace(runs, change);
  });
}

const ASCII = /^[\0-\x7f]*$/;

const LIST_OF_STRING = listType(STRING);

const BASE: readonly FunctionDeclaration[] = [
  { name: "charAt", overloads: [method("string_char_at_int", [STRING, INT], STRING, charAt)] },
  {
    name: "indexOf",
    overloads: [
      method(
        "string_index_of_string",
        [STRING, STRING],
        INT,
        (s, sub) => indexOfText(text(s), text(sub), 0),
        bytesOnce,
      ),
      method(
        "string_index_of_string_int",
        [STRING, STRING, INT],
        INT,
        (s, sub, offset) => indexOfText(text(s), text(sub), position(offset)),
        bytesOnce,
      ),
    ],
  },
  {
    name: "lastIndexOf",
    overloads: [
      method(
        "string_last_index_of_string",
        [STRING, STRING],
        INT,
        (s, sub) => lastIndexOfText(text(s), text(sub), undefined),
        bytesOnce,
      ),
      method(
        "string_last_index_of_string_int",
        [STRING, STRING, INT],
        INT,
        (s, sub, offset) => lastIndexOfText(text(s), text(sub), position(offset)),
        bytesOnce,
      ),
    ],
  },
  {
    name: "lowerAscii",
    overloads: [method("string_lower_ascii", [STRING], STRING, (s) => lowerAscii(text(s)), once)],
  },
  {
    name: "upperAscii",
    overloads: [method("string_upper_ascii", [STRING], STRING, (s) => upperAscii(text(s)), once)],
  },
  {
    name: "replace",
    overloads: [
      method(
        "string_replace_string_string",
        [STRING, STRING, STRING],
        STRING,
        (s, from, to) => replaceText(text(s), text(from), text(to), -1),
        twice,
      ),
      method(
        "string_replace_string_string_int",
        [STRING, STRING, STRING, INT],
        STRING,
        (s, from, to, limit) => replaceText(text(s), text(from), text(to), int(limit)),
        twice,
      ),
    ],
  },
  {
    name: "split",
    overloads: [
      method(
        "string_split_string",
        [STRING, STRING],
        LIST_OF_STRING,
        (s, sep) => splitText(text(s), text(sep), -1),
        twice,
      ),
      method(
        "string_split_string_int",
        [STRING, STRING, INT],
        LIST_OF_STRING,
        (s, sep, limit) => splitText(text(s), text(sep), int(limit)),
        twice,
      ),
    ],
  },
  {
    name: "substring",
    overloads: [
      method(
        "string_substring_int",
        [STRING, INT],
        STRING,
        (s, start) => substring(text(s), position(start), undefined),
        once,
      ),
      method(
        "string_substring_int_int",
        [STRING, INT, INT],
        STRING,
        (s, start, end) => substring(text(s), position(start), position(end)),
        once,
      ),
    ],
  },
  { name: "trim", overloads: [method("string_trim", [STRING], STRING, (s) => trimText(text(s)), once)] },
  {
    name: "join",
    overloads: [
      method("list_join", [LIST_OF_STRING], STRING, (list) => join(list, undefined), byResult),
      method("list_join_string", [LIST_OF_STRING, STRING], STRING, join, byResult),
    ],
  },
  {
    name: "strings.quote",
    overloads: [
      {
        id: "strings_quote",
        isMember: false,
        params: [STRING],
        result: STRING,
        call: (s) => quoteText(text(s)),
        cost: once,
        isCostStatic: true,
      },
    ],
  },
];

function formatFunction(version: number): FunctionDeclaration {
  const style = version >= 4 ? PLAIN : LOCALIZED;
  const overload: Overload = {
    id: "string_format",
    isMember: true,
    params: [STRING, listType(DYN)],
    result: STRING,
    call: (s, args) => formatText(text(s), args as readonly CelValue[], style),
    cost: once,
    isCostStatic: true,
  };
  return { name: "format", overloads: [overload] };
}

const REVERSE: FunctionDeclaration = {
  name: "reverse",
  overloads: [method("string_reverse", [STRING], STRING, (s) => [...codePoints(text(s))].reverse().join(""))],
};

/** Functions on strings (ext/strings.go of cel-go). */
export function stringsLibrary({ version = 2 }: StringsOptions = {}): Library {
  const functions = [...BASE, formatFunction(version)];
  if (version >= 3) functions.push(REVERSE);
  return { name: "strings", functions };
}

import type { Library } from "../library.ts";
import { listType, optionalType, STRING } from "../types.ts";
import { CelOptional, type CelValue } from "../values.ts";
import { functions, methods, shape } from "./declare.ts";
import { FormatValue } from "./format-value.ts";
import { asInstance, asText, NAMED_FORMAT } from "./kubernetes-types.ts";
import { nameFormats } from "./name-formats.ts";

/** apiserver's pkg/cel/library/format.go: named string formats, and a function for each of the names. */

const formats = new Map([...nameFormats].map(([name, format]) => [name, new FormatValue(format)]));

/** The messages about a text, or none when it is valid. */
function validate(format: CelValue, text: CelValue): CelOptional {
  const errors = asInstance(format, FormatValue).format.errors(asText(text));
  return errors.length === 0 ? CelOptional.none : new CelOptional(errors);
}

export const formatLibrary: Library = {
  name: "kubernetes.format",
  functions: [
    methods(
      "validate",
      shape(
        "format-validate",
        [NAMED_FORMAT, STRING],
        optionalType(listType(STRING)),
        (format = null, text = null) => validate(format, text),
      ),
    ),
    functions(
      "format.named",
      shape("format-named", [STRING], optionalType(NAMED_FORMAT), (name = null) => {
        const format = formats.get(asText(name));
        return format === undefined ? CelOptional.none : new CelOptional(format);
      }),
    ),
    ...Array.from(formats, ([name, format]) =>
      functions(
        `format.${name}`,
        shape(`format.${name}`, [], NAMED_FORMAT, () => format),
      ),
    ),
  ],
};

/** All built-in functions this engine has, by the names policies call them. */
import { aggregateBuiltins } from "./aggregates.ts";
import { arithmeticBuiltins } from "./arithmetic.ts";
import { arrayBuiltins } from "./arrays.ts";
import { awsBuiltins } from "./aws-signature.ts";
import { base64Builtins } from "./base64.ts";
import { bitsBuiltins } from "./bits.ts";
import { certificateBuiltins } from "./certificates.ts";
import { comparisonBuiltins } from "./comparison.ts";
import type { Builtin } from "./contract.ts";
import { globBuiltins } from "./glob.ts";
import { graphBuiltins } from "./graph.ts";
import { graphqlBuiltins } from "./graphql.ts";
import { hashBuiltins } from "./hashes.ts";
import { httpBuiltins } from "./http.ts";
import { jsonBuiltins } from "./json.ts";
import { jsonPatchBuiltins } from "./json-patch.ts";
import { jsonPathBuiltins } from "./json-paths.ts";
import { jsonSchemaBuiltins } from "./json-schema.ts";
import { networkBuiltins } from "./network.ts";
import { numberBuiltins } from "./numbers.ts";
import { objectBuiltins } from "./objects.ts";
import { privateKeyBuiltins } from "./private-keys.ts";
import { regexBuiltins } from "./regex.ts";
import { runtimeBuiltins } from "./runtime.ts";
import { semverBuiltins } from "./semver.ts";
import { setBuiltins } from "./sets.ts";
import { templateBuiltins } from "./template.ts";
import { textChangeBuiltins } from "./text-change.ts";
import { textFormatBuiltins } from "./text-format.ts";
import { textSearchBuiltins } from "./text-search.ts";
import { timeBuiltins } from "./time.ts";
import { tokenBuiltins } from "./tokens.ts";
import { typeBuiltins } from "./types.ts";
import { unitBuiltins } from "./units.ts";
import { urlBuiltins } from "./url.ts";
import { uuidBuiltins } from "./uuid.ts";
import { yamlBuiltins } from "./yaml.ts";

const families: readonly (readonly Builtin[])[] = [
  aggregateBuiltins,
  arithmeticBuiltins,
  arrayBuiltins,
  awsBuiltins,
  base64Builtins,
  bitsBuiltins,
  certificateBuiltins,
  comparisonBuiltins,
  globBuiltins,
  graphBuiltins,
  graphqlBuiltins,
  hashBuiltins,
  httpBuiltins,
  jsonBuiltins,
  jsonPatchBuiltins,
  jsonPathBuiltins,
  jsonSchemaBuiltins,
  networkBuiltins,
  numberBuiltins,
  objectBuiltins,
  privateKeyBuiltins,
  regexBuiltins,
  runtimeBuiltins,
  semverBuiltins,
  setBuiltins,
  templateBuiltins,
  textChangeBuiltins,
  textFormatBuiltins,
  textSearchBuiltins,
  timeBuiltins,
  tokenBuiltins,
  typeBuiltins,
  unitBuiltins,
  urlBuiltins,
  uuidBuiltins,
  yamlBuiltins,
];

export const builtins: ReadonlyMap<string, Builtin> = new Map(
  families.flat().map((builtin) => [builtin.name, builtin]),
);

/** Built-ins OPA has and this engine has not, with why. A policy that calls one is refused when it is loaded. */
export const unsupportedBuiltins: ReadonlyMap<string, string> = new Map([
  ["rego.parse_module", "a policy cannot parse other policies here"],
]);

/** Functions that Kyverno adds to CEL and the API server does not have (kyverno/sdk, extensions/cel/libs). */
import { walk } from "../cel/admission/walk.ts";
import { parseCel } from "../native/cel-source.ts";
import { at } from "./plain.ts";

const inNamespaces: ReadonlyMap<string, string> = new Map([
  ["http", "calls a host: write the rule in Rego, with http.send and spec.rego.allowedHosts"],
  [
    "resource",
    "looks at other objects: write the rule in Rego, with spec.rego.inventory, or take them as spec.paramKind",
  ],
  [
    "globalContext",
    "looks at what Kyverno keeps in step: take it as spec.paramKind, or write the rule in Rego with spec.rego.inventory",
  ],
  ["image", "asks a registry: there is no such function in the API server's CEL"],
  ["images", "names the images of a Pod: write object.spec.containers.map(c, c.image) and the like"],
  ["exceptions", "names what Kyverno's PolicyExceptions allow: use a ShieldException"],
  [
    "json",
    "is not in the API server's CEL: take the object as it is, or write the rule in Rego (json.unmarshal)",
  ],
  ["yaml", "is not in the API server's CEL: write the rule in Rego (yaml.unmarshal)"],
  ["time", "is not in the API server's CEL: write the rule in Rego (time.now_ns)"],
  ["hash", "is not in the API server's CEL: write the rule in Rego (crypto.sha256)"],
  ["x509", "is not in the API server's CEL: write the rule in Rego (crypto.x509.parse_certificates)"],
  ["user", "is not in the API server's CEL: compare request.userInfo.username"],
  ["transform", "is not in the API server's CEL: use the list itself, with exists() and filter()"],
  ["random", "is not in the API server's CEL, whose expressions come to the same each time"],
  ["gzip", "is not in the API server's CEL"],
  ["generator", "makes other objects, which no validation may"],
  ["regex", "is not in the API server's CEL: use matches(), find() and findAll() of a text"],
  [
    "math",
    "has a function here that the API server's CEL lacks: write it with those it has (math.greatest, math.least, math.abs)",
  ],
]);
const functions: ReadonlyMap<string, string> = new Map([
  ["image", "images"],
  ["isImage", "images"],
  ["parseImageReference", "images"],
  ["parseServiceAccount", "user"],
  ["listObjToMap", "transform"],
  ["random", "random"],
  ["md5", "hash"],
  ["sha1", "hash"],
  ["sha256", "hash"],
]);
const aboutImages =
  "takes an image's name apart, which the API server's CEL does not: compare the text, or write the rule in Rego";

/** What to do about the expression at a path of the spec, where it calls what only Kyverno has. */
export function kyvernoAdvice(spec: unknown, path: string): string | undefined {
  const source = textAtPath(spec, path);
  const expr = source === undefined ? undefined : parseCel(source);
  if (expr === undefined) return undefined;
  let found: string | undefined;
  const tell = (name: string, advice: string | undefined) => {
    found ??= advice && `${name} is Kyverno's own and ${advice}`;
  };
  walk(expr, (node) => {
    if (node.kind === "call" && functions.has(node.name)) {
      const library = functions.get(node.name) ?? "";
      tell(`${node.name}()`, library === "images" ? aboutImages : inNamespaces.get(library));
    }
    if (node.kind === "ident") tell(node.name, inNamespaces.get(node.name));
  });
  return found;
}

/** `spec.validations[0].expression`. */
function textAtPath(spec: unknown, path: string): string | undefined {
  let found: unknown = { spec };
  for (const part of path.split(/[.[\]]+/).filter((each) => each !== "")) {
    found = Array.isArray(found) && /^\d{1,4}$/.test(part) ? found[Number(part)] : at(found, part);
  }
  return typeof found === "string" ? found : undefined;
}

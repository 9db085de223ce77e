/** A ConstraintTemplate: its code, and what of it a constraint's policy needs. */
import { isPlain, isTexts, type Plain, textAt } from "./plain.ts";
import type { Source } from "./source.ts";

export interface RegoCode {
  readonly engine: "rego";
  readonly module: string;
  readonly libs: readonly string[];
  readonly version: "v0" | "v1";
}

export interface CelCode {
  readonly engine: "cel";
  /** Path of the code's source in the template. */
  readonly path: string;
  readonly source: Plain;
}

export interface Template {
  readonly source: Source;
  /** Kind of its constraints. */
  readonly kind: string;
  readonly code: RegoCode | CelCode | undefined;
  readonly operations: readonly string[];
  /** Schema of `spec.parameters`, whose defaults the API server fills in. */
  readonly parameters: unknown;
}

const target = "admission.k8s.gatekeeper.sh";
/** What Gatekeeper's webhook is asked about unless its chart says otherwise. */
const defaultOperations = ["CREATE", "UPDATE"];

/** Undefined, with the reasons told, for what is no template that can be carried over. */
export function templateOf(source: Source): Template | undefined {
  source.known("spec", ["crd", "targets"]);
  const kind = source.text("spec.crd.spec.names.kind");
  const targets = source.records("spec.targets") ?? [];
  const [only, ...others] = targets;
  if (kind === undefined)
    source.error("spec.crd.spec.names.kind", "is missing: name the kind of its constraints");
  if (only === undefined || others.length > 0)
    source.error("spec.targets", "must have one entry: correct it");
  else if (only.target !== target)
    source.error(
      "spec.targets[0].target",
      `must be ${target}: what is for others is not about a cluster's requests`,
    );
  const code = only === undefined ? undefined : codeOf(only, source);
  if (only !== undefined && code === undefined && !source.isFaulty)
    source.error(
      "spec.targets[0]",
      "has no code in Rego or CEL (K8sNativeValidation): write it as a ShieldPolicy",
    );
  if (source.isFaulty || kind === undefined) return undefined;
  return {
    source,
    kind,
    code,
    operations: isTexts(only?.operations) && only.operations.length > 0 ? only.operations : defaultOperations,
    parameters: source.get("spec.crd.spec.validation.openAPIV3Schema"),
  };
}

/** CEL where there is both, as Gatekeeper chooses. */
function codeOf(only: Plain, source: Source): RegoCode | CelCode | undefined {
  const path = "spec.targets[0]";
  const codes = Array.isArray(only.code) ? only.code.filter(isPlain) : [];
  const indexOf = (engine: string) => codes.findIndex((each) => each.engine === engine);
  const cel = indexOf("K8sNativeValidation");
  const celSource = codes[cel]?.source;
  if (isPlain(celSource)) return { engine: "cel", path: `${path}.code[${cel}].source`, source: celSource };
  const rego = indexOf("Rego");
  const regoSource = codes[rego]?.source;
  if (isPlain(regoSource)) return regoCode(regoSource, `${path}.code[${rego}].source`, source);
  return only.rego === undefined ? undefined : regoCode(only, path, source);
}

function regoCode(from: Plain, path: string, source: Source): RegoCode | undefined {
  const module = textAt(from, "rego");
  const { libs = [] } = from;
  if (module === undefined || !isTexts(libs)) {
    source.error(path, "needs rego, a text, and libs, if there are any, as a list of texts: correct it");
    return undefined;
  }
  const version = textAt(from, "version") === "v1" ? "v1" : "v0";
  return { engine: "rego", module, libs, version };
}

/** The type of `variables` while a policy is compiled, and how its fields are typed. */
import type { ObjectTypeDeclaration, TypeProvider } from "../library.ts";
import { type CelType, DYN, listType, mapType } from "../types.ts";
import { admissionTypes, VARIABLES_TYPE } from "./declarations.ts";

const keptKinds: ReadonlySet<string> = new Set([
  ...["any", "bool", "bytes", "double", "duration", "int", "null", "string", "timestamp", "uint"],
]);

/**
 * The type later expressions see of a variable: simple types, lists and maps as they are, and everything else, such
 * as a Quantity or an optional, as dyn (convertCelTypeToDeclType in apiserver pkg/admission/plugin/cel/composition.go).
 */
export function variableType(type: CelType): CelType {
  const [first = DYN, second = DYN] = type.params.map(variableType);
  if (type.kind === "list") return listType(first);
  if (type.kind === "map") return mapType(first, second);
  return keptKinds.has(type.kind) ? type : DYN;
}

/** Finds admission's object types, and `kubernetes.variables` with the variables declared so far. */
export class AdmissionTypes implements TypeProvider {
  readonly #variables = new Map<string, CelType>();
  readonly #types: ReadonlyMap<string, ObjectTypeDeclaration>;
  readonly #schemas: readonly TypeProvider[];

  constructor(schemas: readonly TypeProvider[] = []) {
    this.#schemas = schemas;
    const variables = { name: VARIABLES_TYPE.name, fields: this.#variables };
    this.#types = new Map([...admissionTypes, variables].map((type) => [type.name, type]));
  }

  declareVariable(name: string, type: CelType): void {
    this.#variables.set(name, type);
  }

  findType(name: string): ObjectTypeDeclaration | undefined {
    const known = this.#types.get(name);
    if (known !== undefined) return known;
    for (const schema of this.#schemas) {
      const found = schema.findType(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

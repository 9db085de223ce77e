/** OpenAPI schemas of the server's kinds, for comparing what is said in a policy's status.typeChecking. */
import type { OpenApiSchema } from "../../src/cel/admission/schema-types.ts";
import {
  type ExpressionWarning,
  type KindSchema,
  typeCheckCelRules,
} from "../../src/cel/admission/type-check.ts";
import type { ApiClient } from "./api-client.ts";
import type { OraclePolicy } from "./policies.ts";

interface KindName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

interface NamedSchema extends OpenApiSchema {
  readonly "x-kubernetes-group-version-kind"?: readonly KindName[];
}

const documents = ["api/v1", "apis/apps/v1", "apis/oracle.example.com/v1"];
const prefix = "#/components/schemas/";

export class Schemas {
  readonly #schemas: ReadonlyMap<string, NamedSchema>;

  constructor(schemas: ReadonlyMap<string, NamedSchema>) {
    this.#schemas = schemas;
  }

  static async fetch(api: ApiClient): Promise<Schemas> {
    const schemas = new Map<string, NamedSchema>();
    for (const document of documents) {
      const { body } = await api.demand("GET", `/openapi/v3/${document}`);
      const { components } = body as { components: { schemas: Record<string, NamedSchema> } };
      for (const [name, schema] of Object.entries(components.schemas)) schemas.set(prefix + name, schema);
    }
    return new Schemas(schemas);
  }

  /** What we warn of in the policy. */
  warnings({ kind, spec }: OraclePolicy): ExpressionWarning[] {
    const params =
      spec.paramKind === undefined
        ? undefined
        : this.#kind({ group: "", version: "v1", kind: spec.paramKind.kind });
    return typeCheckCelRules(spec, [this.#kind(kind)], params);
  }

  #kind({ group, version, kind }: KindName): KindSchema {
    const schema = [...this.#schemas.values()].find((candidate) =>
      candidate["x-kubernetes-group-version-kind"]?.some(
        (name) => name.group === group && name.version === version && name.kind === kind,
      ),
    );
    if (schema === undefined) throw new Error(`no schema of ${group}/${version} ${kind}`);
    return { group, version, kind, schema, resolve: (ref) => this.#schemas.get(ref) };
  }
}

/** The server names types after the moment it made them (`Pod123456`), we after what they are of (`PodParams`). */
export function withoutTypeNames(warnings: readonly ExpressionWarning[]): string {
  return JSON.stringify(warnings).replaceAll(/\b([A-Z][A-Za-z]+?)(?:\d+|Params)\b/g, "$1");
}

/**
 * Input objects that must hold themselves, through fields that are neither nullable nor lists, have no finite value
 * (GraphQL, October 2021, section 3.10). Walked without recursion: a chain may be as long as the schema.
 */
import { Kind } from "graphql";
import { type DeclaredType, GraphqlSchemaError, type Member } from "./graphql-types.ts";

interface Step {
  readonly type: DeclaredType;
  /** Its fields that must hold another input object. */
  readonly fields: readonly (readonly [field: Member, next: DeclaredType])[];
  next: number;
}

class InputCycles {
  readonly #types: ReadonlyMap<string, DeclaredType>;
  readonly #visited = new Set<DeclaredType>();

  constructor(types: ReadonlyMap<string, DeclaredType>) {
    this.#types = types;
  }

  run(types: readonly DeclaredType[]): void {
    for (const type of types) if (!this.#visited.has(type)) this.#walk(type);
  }

  #step(type: DeclaredType): Step {
    this.#visited.add(type);
    const fields = type.fields.flatMap((field) => {
      if (field.type.kind !== Kind.NON_NULL_TYPE || field.type.type.kind !== Kind.NAMED_TYPE) return [];
      const next = this.#types.get(field.type.type.name.value);
      return next?.kind === "INPUT_OBJECT" ? [[field, next] as const] : [];
    });
    return { type, fields, next: 0 };
  }

  #walk(start: DeclaredType): void {
    const path = [this.#step(start)];
    const open = new Map([[start, 0]]);
    for (let step = path.at(-1); step; step = path.at(-1)) {
      const found = step.fields[step.next++];
      if (!found) {
        open.delete(step.type);
        path.pop();
        continue;
      }
      const [, type] = found;
      const cycle = open.get(type);
      if (cycle !== undefined) throw this.#error(type, path.slice(cycle));
      if (this.#visited.has(type)) continue;
      open.set(type, path.length);
      path.push(this.#step(type));
    }
  }

  #error(type: DeclaredType, cycle: readonly Step[]): GraphqlSchemaError {
    const fields = cycle.flatMap(({ fields, next }) => fields.slice(next - 1, next).map(([field]) => field));
    return new GraphqlSchemaError(
      `Cannot reference Input Object ${JSON.stringify(type.name.value)} within itself through a series of non-null ` +
        `fields: ${JSON.stringify(fields.map(({ name }) => name.value).join("."))}.`,
      fields[0]?.name.loc,
    );
  }
}

/** Looks at input objects in the order given. @throws GraphqlSchemaError */
export function checkInputCycles(
  inputs: readonly DeclaredType[],
  types: ReadonlyMap<string, DeclaredType>,
): void {
  new InputCycles(types).run(inputs);
}

/** Thrown when a zod schema says something a CustomResourceDefinition's structural schema cannot say. */
export class NotStructuralError extends Error {
  readonly code = "NOT_STRUCTURAL";
  /** Where in the schema, e.g. `spec.rules[].name`. */
  readonly path: string;

  constructor(path: string, problem: string, remedy: string) {
    super(`${path === "" ? "(root)" : path}: ${problem}; ${remedy}`);
    this.name = "NotStructuralError";
    this.path = path;
  }
}

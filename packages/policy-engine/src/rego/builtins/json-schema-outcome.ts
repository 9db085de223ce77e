/** What applying a schema to a value came to. */

export interface SchemaError {
  readonly field: string;
  readonly type: string;
  readonly description: string;
}

const maxErrors = 1_000;

/** A place in the document, and how deep in the schema. */
export interface Place {
  readonly path: string;
  readonly depth: number;
}

export const inner = (place: Place, key: string): Place => ({
  path: place.path === "" ? key : `${place.path}.${key}`,
  depth: place.depth,
});

export const nameOf = (place: Place): string => (place.path === "" ? "(Root)" : place.path);

/**
 * The errors of one application, and a score by which the best of several alternatives is told: those of `anyOf` that
 * went furthest are the ones reported.
 */
export class Outcome {
  readonly errors: SchemaError[] = [];
  score = 0;

  get isValid(): boolean {
    return this.errors.length === 0;
  }

  report(place: Place, type: string, description: string): void {
    if (this.errors.length < maxErrors) {
      this.errors.push({ field: nameOf(place), type, description });
    }
    this.score -= 2;
  }

  merge(other: Outcome): void {
    this.errors.push(...other.errors.slice(0, maxErrors - this.errors.length));
    this.score += other.score;
  }
}

export function better(best: Outcome | undefined, other: Outcome): Outcome {
  return best === undefined || other.score > best.score ? other : best;
}

import type { GenerationProblem } from "./decide.ts";

/** How one namespace stands for one generator. */
export interface NamespaceStanding {
  readonly objects: number;
  readonly inStep: number;
  readonly problems: readonly GenerationProblem[];
}

export interface GeneratorStanding {
  readonly namespaces: number;
  readonly objects: number;
  readonly inStep: number;
  /** Namespaces that have not been looked at yet. */
  readonly pending: number;
  /** By namespace, in the order of their names. */
  readonly problems: readonly (GenerationProblem & { readonly namespace: string })[];
}

/** What is known of each namespace and generator since this process leads. */
export class GenerationStandings {
  readonly #of = new Map<string, Map<string, NamespaceStanding>>();
  readonly #pending = new Map<string, Set<string>>();

  /** These are yet to be looked at; what is known of others that are gone is forgotten. */
  expect(generator: string, namespaces: readonly string[]): void {
    this.#pending.set(generator, new Set(namespaces));
    const known = this.#of.get(generator);
    if (known === undefined) return;
    const all = new Set(namespaces);
    for (const namespace of known.keys()) if (!all.has(namespace)) known.delete(namespace);
  }

  /** undefined: the generator has nothing to do with it. Returns whether anything is known now that was not. */
  note(generator: string, namespace: string, standing: NamespaceStanding | undefined): boolean {
    const wasPending = this.#pending.get(generator)?.delete(namespace) === true;
    const known = this.#of.get(generator) ?? new Map<string, NamespaceStanding>();
    const before = known.get(namespace);
    if (standing === undefined) known.delete(namespace);
    else this.#of.set(generator, known.set(namespace, standing));
    return wasPending || JSON.stringify(before) !== JSON.stringify(standing);
  }

  problemsIn(generator: string, namespace: string): readonly GenerationProblem[] {
    return this.#of.get(generator)?.get(namespace)?.problems ?? [];
  }

  forget(generator: string): void {
    this.#of.delete(generator);
    this.#pending.delete(generator);
  }

  standing(generator: string): GeneratorStanding {
    const known = [...(this.#of.get(generator) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    const sum = (of: (standing: NamespaceStanding) => number): number =>
      known.reduce((total, [, standing]) => total + of(standing), 0);
    return {
      namespaces: known.length,
      objects: sum(({ objects }) => objects),
      inStep: sum(({ inStep }) => inStep),
      pending: this.#pending.get(generator)?.size ?? 0,
      problems: known.flatMap(([namespace, { problems }]) =>
        problems.map((problem) => ({ ...problem, namespace })),
      ),
    };
  }
}

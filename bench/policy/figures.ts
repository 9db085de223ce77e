/** The lines of this benchmark: a figure for each size and each language of ours, with the goals that were set. */
import { type BenchLine, type Better, compared, rounded } from "../lib/line.ts";
import { goalSize } from "./goals.ts";
import type { ShieldLanguage } from "./render/shield-policies.ts";

export const languages: readonly ShieldLanguage[] = ["cel", "rego", "native"];

const spoken: Readonly<Record<ShieldLanguage, string>> = {
  cel: "cel",
  rego: "rego",
  native: "cel, native",
};

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly resolution?: number;
}

/** A figure that is not there yet because the row is not built; printed, never kept. */
export interface UnbuiltLine extends Omit<BenchLine, "value" | "ratio"> {
  readonly value: null;
  readonly ratio: null;
  readonly note: "not built";
}

export interface Lines {
  readonly built: readonly BenchLine[];
  readonly unbuilt: readonly UnbuiltLine[];
}

/**
 * Collects the lines of one part, sizes from the smallest on. Beyond the size of the goals there are no peers: there a
 * figure is compared with what it was at the smallest size.
 */
export class FigureLines implements Lines {
  readonly built: BenchLine[] = [];
  readonly unbuilt: UnbuiltLine[] = [];
  readonly #smallest = new Map<string, { readonly size: number; readonly value: number }>();

  /**
   * @param ours undefined when the language is not built
   * @param peers those that are undefined were not measured
   */
  add(
    figure: Figure,
    size: number,
    language: ShieldLanguage,
    ours: number | undefined,
    peers: Readonly<Record<string, number | undefined>>,
  ): void {
    const key = `${figure.name} ${language}`;
    const smallest = this.#smallest.get(key);
    const growth =
      smallest === undefined || size <= goalSize ? {} : { [`${smallest.size} policies`]: smallest.value };
    const { built, unbuilt } = linesOf(figure, size, language, ours, { ...peers, ...growth });
    this.built.push(...built);
    this.unbuilt.push(...unbuilt);
    if (smallest === undefined && ours !== undefined) this.#smallest.set(key, { size, value: ours });
  }
}

/** `RSS under load, 200 policies, cel`. */
export function nameOf(figure: string, size: number, language: ShieldLanguage): string {
  return `${figure}, ${size.toLocaleString("en")} policies, ${spoken[language]}`;
}

/**
 * One figure of one row; peers are left out where they were not measured.
 * @param ours undefined when the language is not built
 */
function linesOf(
  figure: Figure,
  size: number,
  language: ShieldLanguage,
  ours: number | undefined,
  peers: Readonly<Record<string, number | undefined>>,
): Lines {
  const name = nameOf(figure.name, size, language);
  const known = Object.fromEntries(
    Object.entries(peers).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
  if (ours !== undefined) return { built: compared({ ...figure, name, ours, peers: known }), unbuilt: [] };
  const { unit, resolution = 0 } = figure;
  return {
    built: [],
    unbuilt: Object.entries(known).map(([peer, peerValue]) => ({
      ...{ name, value: null, unit, peer },
      ...{ peerValue: rounded(Math.max(resolution, peerValue)), ratio: null, note: "not built" },
    })),
  };
}

export function joined(lines: readonly Lines[]): Lines {
  return {
    built: lines.flatMap(({ built }) => built),
    unbuilt: lines.flatMap(({ unbuilt }) => unbuilt),
  };
}

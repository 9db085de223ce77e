/** The lines of this benchmark: a figure for each size and each language of ours, with the goals that were set. */
import { type BenchLine, type Better, compared } from "../lib/line.ts";
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

export type Lines = readonly BenchLine[];

/**
 * Collects the lines of one part, sizes from the smallest on. Beyond the size of the goals there are no peers: there a
 * figure is compared with what it was at the smallest size.
 */
export class FigureLines {
  readonly lines: BenchLine[] = [];
  readonly #smallest = new Map<string, { readonly size: number; readonly value: number }>();

  /**
   * @param ours undefined where it was not measured, and then there is no line
   * @param peers those that are undefined were not measured
   */
  add(
    figure: Figure,
    size: number,
    language: ShieldLanguage,
    ours: number | undefined,
    peers: Readonly<Record<string, number | undefined>>,
  ): void {
    if (ours === undefined) return;
    const key = `${figure.name} ${language}`;
    const smallest = this.#smallest.get(key);
    const growth =
      smallest === undefined || size <= goalSize ? {} : { [`${smallest.size} policies`]: smallest.value };
    const known = Object.fromEntries(
      Object.entries({ ...peers, ...growth }).filter(
        (entry): entry is [string, number] => entry[1] !== undefined,
      ),
    );
    const name = nameOf(figure.name, size, language);
    this.lines.push(...compared({ ...figure, name, ours, peers: known }));
    if (smallest === undefined) this.#smallest.set(key, { size, value: ours });
  }
}

/** `RSS under load, 200 policies, cel`. */
export function nameOf(figure: string, size: number, language: ShieldLanguage): string {
  return `${figure}, ${size.toLocaleString("en")} policies, ${spoken[language]}`;
}

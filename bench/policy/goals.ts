/** What was promised of judging policies, as figures to compare with. */
import { cpuMsPerPod, type Measured, ratePerSecond } from "../lib/turn.ts";
import type { ContestantName } from "./contestants.ts";
import type { ShieldLanguage } from "./render/shield-policies.ts";

export type Results = ReadonlyMap<ContestantName, Measured>;

/** 150 MB of the serving process. */
export const rssMiB = 150e6 / 2 ** 20;
/** From its start to ready. */
export const readyMs = 1_000;
export const evaluationMs = { p50: 0.2, p99: 1 } as const;
/** One request keeps others waiting no longer. */
export const holdMs = 50;
export const reviewsPerSecond = 3_000;

/** Figures that have goals relative to others'. */
export const figureNames = {
  rate: "Pods created, 8 in flight",
  cpu: "CPU of API server and webhook per Pod",
  rss: "RSS under load",
} as const;

/** The size at which absolute goals are set. */
export const goalSize = 200;

/** Goals of one row by the name of the figure; relative ones where what they relate to was measured. */
export function goalsOf(
  size: number,
  language: ShieldLanguage,
  all: ReadonlyMap<number, Results>,
): Readonly<Record<string, number | undefined>> {
  const rate = (at: number, name: ContestantName): number | undefined => {
    const measured = all.get(at)?.get(name);
    return measured === undefined ? undefined : ratePerSecond(measured);
  };
  const own = rate(16, `shieldx-${language}`);
  const one = all.get(size)?.get("vap-one");
  const [vap, gatekeeper] = [rate(size, "vap"), rate(size, "gatekeeper")];
  if (language === "native") return size === goalSize ? { [figureNames.rate]: times(20, vap) } : {};
  switch (size) {
    case 16:
      return {
        [figureNames.rate]: one && ratePerSecond(one),
        [figureNames.cpu]: one && cpuMsPerPod(one),
        [figureNames.rss]: rssMiB,
      };
    case goalSize:
      return { [figureNames.rate]: most(times(25, vap), times(10, gatekeeper)), [figureNames.rss]: rssMiB };
    case 1_000:
      return { [figureNames.rate]: times(0.5, own) };
    default:
      return {};
  }
}

function most(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function times(factor: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : factor * value;
}

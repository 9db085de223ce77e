import { evaluationTimeMs } from "./deadline.ts";

export interface Target {
  readonly pathname: string;
  /** How long an evaluation asked for there may take, see `evaluationTimeMs`. */
  readonly timeMs: number;
}

/** An API server asks for a handful; everybody else shall not fill the memory. */
const keptTargets = 64;
const longestKept = 256;

/** What request targets (RFC 9112, section 3.2) say. Those seen before are not parsed again. */
export class Targets {
  readonly #known = new Map<string, Target>();
  readonly #isKept: (pathname: string) => boolean;

  /** @param isKept whether targets with this path are worth remembering */
  constructor(isKept: (pathname: string) => boolean = () => true) {
    this.#isKept = isKept;
  }

  /** Whatever is no URL leads nowhere: its path is empty. */
  of(requestTarget: string): Target {
    const known = this.#known.get(requestTarget);
    if (known !== undefined) return known;
    const url = URL.parse(requestTarget, "https://webhook.invalid");
    const target = {
      pathname: url?.pathname ?? "",
      timeMs: evaluationTimeMs(url?.searchParams ?? new URLSearchParams()),
    };
    const fits = this.#known.size < keptTargets && requestTarget.length <= longestKept;
    if (fits && this.#isKept(target.pathname)) {
      this.#known.set(requestTarget, target);
    }
    return target;
  }
}

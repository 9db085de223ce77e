import { breakGlassWindow, breaksPolicy, isBreakGlassOpen } from "@shieldx/crds";
import type { ShieldBreakGlassObject } from "./kinds.ts";

/** The ShieldBreakGlasses there are, as far as this process has read them. */
export class BreakGlasses {
  readonly #list: () => readonly ShieldBreakGlassObject[];
  readonly #now: () => number;

  /** @param now milliseconds since the epoch */
  constructor(list: () => readonly ShieldBreakGlassObject[], now: () => number) {
    this.#list = list;
    this.#now = now;
  }

  all(): readonly ShieldBreakGlassObject[] {
    return this.#list();
  }

  /** Those that are, or were, about the policy. */
  of(policy: string): ShieldBreakGlassObject[] {
    return this.#list().filter(({ spec }) => breaksPolicy(spec, policy));
  }

  open(): ShieldBreakGlassObject[] {
    return this.#list().filter((glass) => isBreakGlassOpen(glass, this.#now()));
  }

  /** Of several that are open for the policy the one that ends last. */
  openFor(policy: string): ShieldBreakGlassObject | undefined {
    const [last] = this.open()
      .filter(({ spec }) => breaksPolicy(spec, policy))
      .sort((a, b) => Date.parse(b.spec.expiresAt) - Date.parse(a.spec.expiresAt));
    return last;
  }

  /** When the next of those ends that are about the policy, milliseconds since the epoch. */
  nextEndMs(policy?: string): number | undefined {
    const ends = this.open()
      .filter(({ spec }) => policy === undefined || breaksPolicy(spec, policy))
      .map(endMs);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }
}

/** When it ends, or never began. */
function endMs(glass: ShieldBreakGlassObject): number {
  const window = breakGlassWindow(glass);
  return "problem" in window ? 0 : window.untilMs;
}

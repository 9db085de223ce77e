/**
 * Each change of a webhook configuration is followed by a second update that changes nothing but an annotation.
 *
 * Since 1.28 (kubernetes/kubernetes#118051) an API server remembers each configuration in the form it calls by. One that
 * changes while this memory is being filled on account of another can be remembered as it was before; the API server then
 * calls by what is no longer stored, until the next update of that configuration or its informer's resync (10 minutes).
 * docs/adr/0022-webhook-configurations-twice.md has how that was found.
 */
import type { KubeObject } from "@shieldx/controller-runtime";

/** On a webhook configuration: the version of it, as `uid:generation`, that was sent for the second time. */
export const RESENT_ANNOTATION = "shieldx.io/resent";

/** Long enough that no API server is still at work on the first update. */
export const RESEND_AFTER_MS = 1000;
/** Between configurations that changed together, so that their second updates do not meet either. */
export const RESEND_SPACING_MS = 400;

export class Resends {
  readonly #names: readonly string[];
  readonly #seen = new Map<string, { readonly version: string; readonly sinceMs: number }>();

  /** Of configurations with these names. */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /**
   * Whether a configuration, as the cache shows it, has to be sent again: milliseconds until then, or undefined when it
   * has been. `now` is of a clock that never goes back.
   */
  dueInMs(configuration: KubeObject, now: number): number | undefined {
    const { name, annotations } = configuration.metadata;
    const version = versionOf(configuration);
    if (annotations?.[RESENT_ANNOTATION] === version) {
      this.#seen.delete(name);
      return undefined;
    }
    const before = this.#seen.get(name);
    const sinceMs = before?.version === version ? before.sinceMs : now;
    this.#seen.set(name, { version, sinceMs });
    const afterMs = RESEND_AFTER_MS + RESEND_SPACING_MS * Math.max(0, this.#names.indexOf(name));
    return Math.max(0, sinceMs + afterMs - now);
  }
}

/** Merge patch that sends a configuration again. */
export function resendPatch(configuration: KubeObject): {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
} {
  return { metadata: { annotations: { [RESENT_ANNOTATION]: versionOf(configuration) } } };
}

/** The generation moves with the entries, not with labels and annotations. */
function versionOf({ metadata: { uid = "", generation = 0 } }: KubeObject): string {
  return `${uid}:${generation}`;
}

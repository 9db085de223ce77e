/** One bundle that policies are made of, kept up to date. */
import type { SnapshotBundle } from "../rego/bundle/index.ts";
import { BundleSource, type BundleSourceOptions, type BundleStatus } from "../rego/bundle-source/index.ts";

/** A bundle in use; `identity` tells it from those before it. */
export interface CurrentBundle {
  readonly bundle: SnapshotBundle;
  readonly identity: string;
}

export interface HeldBundleParts {
  readonly options: () => BundleSourceOptions;
  /** Makes all that is needed ready, so that the bundle can be taken into use. @throws why it cannot */
  readonly activate: (next: CurrentBundle, before: CurrentBundle | undefined) => Promise<void>;
  /** Another is in use, or what is told of it is otherwise. */
  readonly onChange: () => void;
  readonly log: (level: "info" | "warn", fields: Readonly<Record<string, unknown>>, message: string) => void;
  readonly identity: () => string;
}

/** A server that does not answer once is no news; a bundle that is refused is, at once. */
const patience = 3;
const unreached: ReadonlySet<string> = new Set(["REQUEST_FAILED", "TIMED_OUT", "REFUSED_BY_SERVER"]);

export class HeldBundle {
  readonly #parts: HeldBundleParts;
  readonly #source: BundleSource | undefined;
  /** It cannot even be tried as it is configured. */
  readonly refusal: string | undefined;
  #current: CurrentBundle | undefined;
  #failures = 0;
  #lastProblemAt: number | undefined;
  #problem: string | undefined;

  constructor(parts: HeldBundleParts) {
    this.#parts = parts;
    try {
      this.#source = new BundleSource({
        ...parts.options(),
        onChange: (bundle) => this.#take(bundle),
        onStatus: (status) => this.#note(status),
      });
    } catch (error) {
      this.refusal = error instanceof Error ? error.message : String(error);
    }
    this.#source?.start();
  }

  get current(): CurrentBundle | undefined {
    return this.#current;
  }

  /** Why there is none, or none newer; undefined while there is nothing to tell. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether it is there, or has failed to come often enough for nobody to wait for it. */
  get isSettled(): boolean {
    return this.refusal !== undefined || this.#current !== undefined || this.#failures >= patience;
  }

  stop(): Promise<void> {
    return this.#source?.stop() ?? Promise.resolve();
  }

  async #take(bundle: SnapshotBundle): Promise<void> {
    const next = { bundle, identity: this.#parts.identity() };
    await this.#parts.activate(next, this.#current);
    this.#current = next;
    const { revision } = bundle.manifest;
    this.#parts.log("info", { url: this.#source?.status.url, revision }, "a bundle is in use");
    this.#parts.onChange();
  }

  #note({ url, problem }: BundleStatus): void {
    const wasSettled = this.isSettled;
    if (problem === undefined) this.#failures = 0;
    else if (problem.at !== this.#lastProblemAt) this.#failures++;
    this.#lastProblemAt = problem?.at;
    const isNews =
      problem !== undefined &&
      (this.#current === undefined || !unreached.has(problem.code) || this.#failures >= patience);
    const told = isNews ? `${problem.message} (${problem.code})` : undefined;
    // A server that answers again clears it; one that fails otherwise replaces it.
    if (problem !== undefined && told === undefined) return;
    if (told === this.#problem && wasSettled === this.isSettled) return;
    if (told !== undefined && told !== this.#problem)
      this.#parts.log("warn", { url }, `a bundle cannot be had: ${told}`);
    this.#problem = told;
    this.#parts.onChange();
  }
}

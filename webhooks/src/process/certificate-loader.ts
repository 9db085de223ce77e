import {
  type Client,
  type Clock,
  delay,
  type Informer,
  type Logger,
  Secret,
} from "@shieldx/controller-runtime";
import { TLS_SECRET } from "@shieldx/crds";
import { PkiError, readTlsSecret, type TlsMaterial } from "@shieldx/pki/secret";

export interface CertificateLoaderParts {
  readonly informer: Informer<Secret>;
  readonly client: Client;
  readonly namespace: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onChange: (material: TlsMaterial) => void;
  readonly onUnusable: () => void;
  /** A watch can hang silently; the Secret is read this often besides. */
  readonly pollMs?: number;
}

/**
 * Follows the Secret with the serving and candidate leaf, by watch and by poll. An unusable or deleted Secret changes
 * nothing: the last good leaves stay in use.
 */
export class CertificateLoader {
  readonly #parts: CertificateLoaderParts;
  #material: TlsMaterial | undefined;
  #newest: { uid: string; version: bigint } | undefined;
  #problem = "";

  constructor(parts: CertificateLoaderParts) {
    this.#parts = parts;
    const take = (secret: Secret) => this.take(secret);
    parts.informer.on({ added: take, updated: (_, secret) => take(secret), deleted: () => this.#missing() });
  }

  get current(): TlsMaterial | undefined {
    return this.#material;
  }

  /** Reads the Secret from the API server itself, not from a cache. @throws what the client throws */
  async readNow(signal?: AbortSignal): Promise<void> {
    const key = { name: TLS_SECRET, namespace: this.#parts.namespace };
    const secret = await this.#parts.client.find(Secret, key, signal === undefined ? {} : { signal });
    if (secret !== undefined) this.take(secret);
  }

  /** Polls until aborted. */
  async poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await delay(this.#parts.clock, this.#parts.pollMs ?? 60_000, signal);
        await this.readNow(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.logger.warn({ err: error }, `Secret ${TLS_SECRET} could not be read; the watch goes on`);
      }
    }
  }

  /** Takes a state of the Secret in, unless a newer one has been seen: watch, poll and reading overtake each other. */
  take(secret: Secret): void {
    if (secret.metadata.name !== TLS_SECRET || this.#isOutdated(secret)) return;
    let material: TlsMaterial;
    try {
      material = readTlsSecret(decode(secret.data ?? {}));
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      this.#report(`Secret ${TLS_SECRET} is unusable: ${error.message}`);
      return;
    }
    this.#problem = "";
    const isSame =
      this.#material?.serving.fingerprint === material.serving.fingerprint &&
      this.#material.candidate?.fingerprint === material.candidate?.fingerprint;
    if (isSame) return;
    this.#material = material;
    this.#parts.onChange(material);
  }

  #isOutdated({ metadata }: Secret): boolean {
    const version = metadata.resourceVersion;
    if (version === undefined || !/^\d+$/.test(version)) return false;
    const seen = { uid: metadata.uid ?? "", version: BigInt(version) };
    if (this.#newest !== undefined && seen.version < this.#newest.version) return true;
    this.#newest = seen;
    return false;
  }

  #missing(): void {
    this.#report(`Secret ${TLS_SECRET} was deleted; serving the last leaf until it is back`);
  }

  #report(problem: string): void {
    this.#parts.onUnusable();
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#parts.logger.error({}, problem);
  }
}

function decode(data: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
  );
}

import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Clock } from "../clock/clock.ts";
import { type Logger, silentLogger } from "../kubernetes/logger.ts";
import type { ClientAuth, TlsMaterial } from "./credentials.ts";
import { CredentialsError } from "./credentials-error.ts";

/** A value given in place, or a file that may change under us. */
export type Source = { readonly value: string } | { readonly file: string };

/** What an exec plugin answered. */
export interface IssuedCredential {
  token?: string;
  cert?: string;
  key?: string;
  /** Wall-clock milliseconds; without it, good until the server says 401. */
  expiresAtMs?: number;
}

export interface AuthSources {
  ca?: Source;
  cert?: Source;
  key?: Source;
  token?: Source;
  /** Asks an exec plugin; `previous` came back with 401 or is about to expire. */
  issue?: () => Promise<IssuedCredential>;
  serverName?: string;
  insecureSkipVerify?: boolean;
  /** Sent with every request: impersonation, basic authentication. */
  headers?: Readonly<Record<string, string>>;
}

/** client-go reads a token file again after a minute; the kubelet renews it at 80 % of its life. */
const rereadAfterMs = 60_000;
/**
 * An issued credential is replaced this long before it expires, so that no request carries a dead one; sooner in
 * the life of one that is issued for a short time, or the plugin would be asked for every request.
 */
const renewBeforeExpiryMs = 30_000;
const renewBeforeExpiryShare = 0.2;

/**
 * Assembles a {@link ClientAuth} from files and plugins and keeps it fresh: files are read again at most once a
 * minute and at once after a 401, issued credentials shortly before they expire. When reading again fails, what
 * was read before stays in use (a file may be half replaced) and the failure is logged.
 */
export class ReloadingAuth {
  readonly #sources: AuthSources;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** The same object as long as nothing in it changes. */
  #auth: ClientAuth | undefined;
  #authorization: string | undefined;
  #issued: IssuedCredential | undefined;
  /** Wall-clock milliseconds; from here on the issued credential is to be replaced. */
  #issueAgainAt = Number.POSITIVE_INFINITY;
  #readAgainAt = 0;
  #reading: Promise<ClientAuth> | undefined;

  constructor(sources: AuthSources, clock: Clock, logger: Logger = silentLogger) {
    this.#sources = sources;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Synchronous while what is held is fresh, so that a request pays nothing. */
  current(): ClientAuth | Promise<ClientAuth> {
    if (this.#auth !== undefined && this.#clock.monotonicNow() < this.#readAgainAt && !this.#isExpiring()) {
      return this.#auth;
    }
    return this.#readOnce(false).catch((error: unknown) => {
      if (this.#auth === undefined) throw error;
      this.#logger.warn({ err: error }, "credentials could not be read again; the previous ones stay in use");
      this.#readAgainAt = this.#clock.monotonicNow() + retryAfterFailureMs;
      if (this.#isExpiring()) this.#issueAgainAt = this.#clock.now() + retryAfterFailureMs;
      return this.#auth;
    });
  }

  async refresh(refused?: ClientAuth): Promise<void> {
    await this.#reading?.catch(() => undefined); // what is being read already may be what is wanted
    if (refused !== undefined && this.#auth !== refused) return;
    await this.#readOnce(true);
  }

  #isExpiring(): boolean {
    return this.#clock.now() >= this.#issueAgainAt;
  }

  #readOnce(isRefused: boolean): Promise<ClientAuth> {
    this.#reading ??= this.#read(isRefused).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(isRefused: boolean): Promise<ClientAuth> {
    const { issue } = this.#sources;
    if (issue !== undefined && (this.#issued === undefined || isRefused || this.#isExpiring())) {
      this.#issued = await issue();
      this.#issueAgainAt = renewalOf(this.#issued, this.#clock.now());
    }
    const [ca, cert, key, token] = await Promise.all([
      read(this.#sources.ca),
      read(this.#sources.cert),
      read(this.#sources.key),
      read(this.#sources.token),
    ]);
    const tls: TlsMaterial = {
      ...(ca === undefined ? {} : { ca }),
      ...pair(this.#issued?.cert ?? cert, this.#issued?.key ?? key),
      ...(this.#sources.serverName === undefined ? {} : { serverName: this.#sources.serverName }),
      ...(this.#sources.insecureSkipVerify === true ? { insecureSkipVerify: true } : {}),
    };
    const previous = this.#auth;
    const isSameTls = previous !== undefined && sameTls(previous.tls, tls);
    if (!isSameTls) checkTls(tls);
    const bearer = (this.#issued?.token ?? token)?.trim();
    const authorization = bearer === undefined || bearer === "" ? undefined : `Bearer ${headerSafe(bearer)}`;
    const headers = { ...(authorization === undefined ? {} : { authorization }), ...this.#sources.headers };
    const isSame = isSameTls && authorization === this.#authorization;
    const auth = isSame ? previous : { headers, tls: isSameTls ? previous.tls : tls };
    this.#authorization = authorization;
    this.#auth = auth;
    this.#readAgainAt =
      this.#clock.monotonicNow() + (this.#readsFiles() ? rereadAfterMs : Number.POSITIVE_INFINITY);
    return auth;
  }

  #readsFiles(): boolean {
    const { ca, cert, key, token } = this.#sources;
    return [ca, cert, key, token].some((source) => source !== undefined && "file" in source);
  }
}

const retryAfterFailureMs = 5_000;

function renewalOf({ expiresAtMs }: IssuedCredential, nowMs: number): number {
  if (expiresAtMs === undefined) return Number.POSITIVE_INFINITY;
  return expiresAtMs - Math.min(renewBeforeExpiryMs, (expiresAtMs - nowMs) * renewBeforeExpiryShare);
}

function pair(cert: string | undefined, key: string | undefined): { cert?: string; key?: string } {
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined || key === undefined) {
    throw new CredentialsError(
      "InvalidData",
      `the client ${cert === undefined ? "certificate" : "key"} is missing`,
      "give certificate and key together",
    );
  }
  return { cert, key };
}

async function read(source: Source | undefined): Promise<string | undefined> {
  if (source === undefined) return undefined;
  if ("value" in source) return source.value;
  try {
    return await readFile(source.file, "utf8");
  } catch (error) {
    throw unreadable(source.file, error);
  }
}

/** The error for a file that could not be read. */
export function unreadable(file: string, error: unknown): CredentialsError {
  const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
  const problem = isMissing
    ? `${file} does not exist`
    : `${file} cannot be read (${(error as Error).message})`;
  const remedy = isMissing ? "check the path" : "check its permissions";
  return new CredentialsError(isMissing ? "FileMissing" : "FileUnreadable", problem, remedy, error);
}

function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key && a.serverName === b.serverName;
}

function checkTls(tls: TlsMaterial): void {
  const { ca, cert, key } = tls;
  if (ca !== undefined && !ca.includes("-----BEGIN")) {
    throw new CredentialsError(
      "InvalidData",
      "the CA certificate is not PEM",
      "check certificate-authority(-data)",
    );
  }
  try {
    createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (error) {
    throw new CredentialsError(
      "InvalidData",
      `the CA, client certificate or key is unusable (${(error as Error).message})`,
      "check that each is PEM and that key and certificate belong together",
      error,
    );
  }
}

function headerSafe(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new CredentialsError(
      "InvalidData",
      "the bearer token holds characters a header cannot carry",
      "check the token",
    );
  }
  return token;
}

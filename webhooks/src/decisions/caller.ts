import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { ApiError, type Client, TokenReview, TransportError } from "@shieldx/controller-runtime";
import type { HttpRequest } from "../server/http-routes.ts";

/** Who asks, as the API server's authorizer knows people. */
export interface Caller {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a caller brought to show who it is. `key` tells two apart, and says nothing of the secret. */
export type Credential =
  | { readonly kind: "token"; readonly key: string; readonly token: string }
  | { readonly kind: "certificate"; readonly key: string; readonly caller: Caller };

const longestToken = 16_384;

/** A bearer token before a client certificate: where certificates only admit to the port, the token says who it is. */
export function credentialOf({ headers, socket }: HttpRequest, nowMs: number): Credential | undefined {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const token = /^Bearer +(\S+)$/i.exec(authorization.slice(0, longestToken + 16))?.[1];
    if (token === undefined || token.length > longestToken) return undefined;
    return { kind: "token", key: createHash("sha256").update(token).digest("base64"), token };
  }
  const caller = callerOfCertificate(socket, nowMs);
  return caller && { kind: "certificate", key: JSON.stringify([caller.username, caller.groups]), caller };
}

/**
 * As API servers read a client certificate: the common name is who, each organization a group. TLS looked at the
 * certificate when the connection was made; it may have expired since.
 */
function callerOfCertificate(socket: TLSSocket, nowMs: number): Caller | undefined {
  if (!socket.authorized) return undefined;
  const { subject, valid_to: validTo } = socket.getPeerCertificate();
  if (subject === undefined || !(Date.parse(validTo) > nowMs)) return undefined;
  const names: unknown = subject.CN;
  const groups: unknown = subject.O ?? [];
  if (typeof names !== "string" || names === "") return undefined;
  const list = (Array.isArray(groups) ? groups : [groups]).filter((group) => typeof group === "string");
  return { username: names, groups: [...list, "system:authenticated"] };
}

/** The API server could not be asked, so nobody can be let in. */
export class AuthorityUnavailable extends Error {
  override readonly name = "AuthorityUnavailable";
}

/**
 * Asks the API server whose token this is.
 * @param audience the token must be meant for it; undefined: for the API server itself
 * @returns undefined for a token that is nobody's
 * @throws AuthorityUnavailable
 */
export async function reviewToken(
  client: Client,
  token: string,
  audience: string | undefined,
  timeoutMs: number,
): Promise<Caller | undefined> {
  const review = await asking(() =>
    client.create(
      TokenReview,
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        metadata: { name: "" },
        spec: { token, ...(audience === undefined ? {} : { audiences: [audience] }) },
      },
      { timeoutMs, retries: 0 },
    ),
  );
  const { authenticated, user, audiences } = review.status ?? {};
  if (authenticated !== true || user?.username === undefined) return undefined;
  // An authenticator that knows no audiences returns none; then the token was not made for this one (KEP-542).
  if (audience !== undefined && audiences?.includes(audience) !== true) return undefined;
  const { username, uid, groups = [], extra } = user;
  return {
    username,
    groups,
    ...(uid === undefined ? {} : { uid }),
    ...(extra === undefined ? {} : { extra }),
  };
}

/** @throws AuthorityUnavailable instead of what the client throws */
export async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof TransportError)) throw error;
    throw new AuthorityUnavailable(`the API server could not be asked: ${error.message}`, { cause: error });
  }
}

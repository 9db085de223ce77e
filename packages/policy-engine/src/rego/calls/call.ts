/** What goes out and what comes back. */
import type { AllowedHost } from "./hosts.ts";

/** One call of `http.send`, checked: its URL is at an allowed host. */
export interface HttpCall {
  readonly kind: "http";
  /** Equal for equal calls of policies that may reach the same hosts. */
  readonly key: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | undefined;
  readonly timeoutMs: number;
  readonly followsRedirects: boolean;
  readonly tls: CallTls;
  /** How long an answer may be used for other evaluations: as its headers say, or so long whatever they say. */
  readonly keep: "as told" | { readonly ms: number } | undefined;
  /** Where it may go, redirects included. */
  readonly hosts: readonly AllowedHost[];
  /** The host's name may lead to addresses of the Internet only, not of private networks: somebody else has named it. */
  readonly onlyPublic?: boolean;
}

/** PEM texts, and the name that the certificate must be for where that is not the host's. */
export interface CallTls {
  /** Instead of the system's authorities, unless these are asked for as well. */
  readonly ca: string | undefined;
  readonly withSystemCa: boolean;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
}

export interface HttpResponse {
  /** As in an HTTP/1.1 status line: `200 OK`. */
  readonly status: string;
  readonly statusCode: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Uint8Array;
}

export type CallOutcome =
  | { readonly kind: "answered"; readonly response: HttpResponse }
  /** It could not be had, as every caller of hosts must expect: the policy's `raise_error` says what that means. */
  | { readonly kind: "failed"; readonly message: string }
  /** It may not go on: the evaluation ends, whatever the policy says. `mayPass`: trying again may help. */
  | { readonly kind: "refused"; readonly message: string; readonly mayPass: boolean };

/** Sends one call; never rejects. */
export type SendCall = (call: HttpCall, timeoutMs: number) => Promise<CallOutcome>;

/** What an evaluation may use of the calls made for it. */
export interface CallsAtHand {
  /** Undefined while it has not been sent. */
  lookUp(policy: string, call: HttpCall): CallOutcome | undefined;
  /** The same from the first for each evaluation: a call with a random number in it would be another each time. */
  randomBytes(policy: string): (count: number) => Uint8Array;
}

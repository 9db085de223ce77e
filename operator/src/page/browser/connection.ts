import type { PageData } from "../shape.ts";

/** What came of asking. */
export type Outcome =
  | { readonly kind: "data"; readonly data: PageData; readonly nowMs: number }
  | { readonly kind: "unchanged"; readonly nowMs: number }
  /** Nobody may be shown anything by this token. */
  | { readonly kind: "refused"; readonly problem: string }
  /** It may go better next time. */
  | { readonly kind: "failed"; readonly problem: string };

const problems: Readonly<Record<number, string>> = {
  401: "The cluster does not know this token, or not any more: make another one.",
  403:
    "This token may not see the page. Whoever administers the cluster can grant it: " +
    "kubectl create clusterrolebinding NAME --clusterrole=shieldx-page-reader --serviceaccount=NAMESPACE:NAME",
  429: "Too many ask at once; it is tried again.",
  503: "The operator is only starting, or cannot ask the API server who you are; it is tried again.",
};

/** Asks the operator, with one token, for what has changed since the last answer. */
export class Connection {
  readonly #token: string;
  #tag: string | undefined;

  constructor(token: string) {
    this.#token = token;
  }

  async ask(signal: AbortSignal): Promise<Outcome> {
    let response: Response;
    try {
      response = await fetch("/page/data", {
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(this.#tag === undefined ? {} : { "if-none-match": this.#tag }),
        },
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal,
      });
      // The operator's clock, not that of this machine.
      const nowMs = Date.parse(response.headers.get("date") ?? "") || Date.now();
      if (response.status === 304) return { kind: "unchanged", nowMs };
      if (response.ok) {
        const data = (await response.json()) as PageData;
        this.#tag = response.headers.get("etag") ?? undefined;
        return { kind: "data", data, nowMs };
      }
    } catch {
      // Whatever kept the answer from coming; browsers do not tell which.
      return {
        kind: "failed",
        problem:
          "The operator does not answer: see whether kubectl port-forward still runs. It is tried again.",
      };
    }
    const problem = problems[response.status] ?? `The operator answered ${response.status}.`;
    return { kind: response.status === 401 || response.status === 403 ? "refused" : "failed", problem };
  }
}

/** What a header can carry (RFC 6750, 2.1), whatever was copied along with it. */
export function tokenIn(text: string): string | undefined {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  return /^[A-Za-z0-9._~+/=-]{1,16384}$/.test(token) ? token : undefined;
}

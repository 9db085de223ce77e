/** Answers that policies let be used for more than one evaluation. */
import { createHash } from "node:crypto";
import type { HttpCall, HttpResponse } from "../calls/call.ts";

/** Bytes of bodies and headers kept, together. */
const mostBytes = 8 * 1_048_576;
const mostAnswers = 1_000;
const longestMs = 24 * 3_600_000;

/** Those OPA keeps (RFC 9110, 15.1). */
const keptStatuses: ReadonlySet<number> = new Set([
  ...[200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501],
]);

interface Kept {
  readonly response: HttpResponse;
  readonly bytes: number;
  readonly untilMs: number;
}

/** By call, the least lately stored going first. Times are of one clock that never goes back, in milliseconds. */
export class KeptAnswers {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  find(call: HttpCall, nowMs: number): HttpResponse | undefined {
    const key = shortKey(call);
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    if (nowMs < kept.untilMs) return kept.response;
    this.#drop(key);
    return undefined;
  }

  keep(call: HttpCall, response: HttpResponse, nowMs: number): void {
    const { keep } = call;
    if (keep === undefined || !keptStatuses.has(response.statusCode)) return;
    const lastsMs = Math.min(longestMs, keep === "as told" ? freshMs(response) : keep.ms);
    if (!(lastsMs > 0)) return;
    const key = shortKey(call);
    this.#drop(key);
    const bytes = sizeOf(response);
    this.#kept.set(key, { response, bytes, untilMs: nowMs + lastsMs });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= mostBytes && this.#kept.size <= mostAnswers) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#bytes -= kept.bytes;
    this.#kept.delete(key);
  }
}

/** A call's own key holds its body and headers, up to a megabyte and perhaps a secret. */
function shortKey({ key }: HttpCall): string {
  return createHash("sha256").update(key).digest("base64");
}

function sizeOf({ status, headers, body }: HttpResponse): number {
  let bytes = status.length + body.length;
  for (const [name, values] of headers)
    bytes += values.reduce((length, value) => length + value.length, name.length);
  return bytes;
}

/** How long it is fresh by `Cache-Control` (RFC 9111, 4.2.1); not at all where that does not say. */
function freshMs({ headers }: HttpResponse): number {
  const directives = (headers.get("cache-control") ?? []).join(",").toLowerCase().split(",");
  const named = new Map(
    directives.map((directive) => {
      const [name = "", value = ""] = directive.split("=", 2);
      return [name.trim(), value.trim()] as const;
    }),
  );
  if (["no-store", "no-cache", "private"].some((name) => named.has(name))) return 0;
  const maxAge = named.get("max-age") ?? "";
  const age = headers.get("age")?.[0] ?? "0";
  return /^\d{1,10}$/.test(maxAge) && /^\d{1,10}$/.test(age) ? (Number(maxAge) - Number(age)) * 1_000 : 0;
}

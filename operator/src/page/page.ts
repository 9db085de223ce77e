import { createHash } from "node:crypto";
import type { Clock, ExtraHandler, HandlerAnswer, HandlerRequest } from "@shieldx/controller-runtime";
import { type PageSources, pageData } from "./data.ts";
import { DOCUMENT, DOCUMENT_HEADERS } from "./document.ts";
import type { PageData } from "./shape.ts";

export const PAGE_PATH = "/page";
/** What a ClusterRole has to name among its `nonResourceURLs`. */
export const PAGE_DATA_PATH = "/page/data";

/** However many ask, the answer is made once in so long. */
const MADE_EVERY_MS = 1_000;

export interface PageOptions {
  /** undefined while caches are being filled. */
  readonly sources: () => PageSources | undefined;
  readonly clock: Pick<Clock, "now" | "monotonicNow">;
}

/** What is served for the page, by path. */
export function pageHandlers(options: PageOptions): ReadonlyMap<string, ExtraHandler> {
  return new Map<string, ExtraHandler>([
    [PAGE_PATH, { needsRight: false, answer: (request) => documentAnswer(request) }],
    [PAGE_DATA_PATH, { needsRight: true, answer: dataHandler(options) }],
  ]);
}

const documentTag = tagOf(DOCUMENT);

function documentAnswer(request: HandlerRequest): HandlerAnswer {
  const headers = { ...DOCUMENT_HEADERS, etag: documentTag, "cache-control": "no-cache" };
  return conditional(request, documentTag, headers, DOCUMENT);
}

function dataHandler({ sources, clock }: PageOptions): (request: HandlerRequest) => HandlerAnswer {
  let made: { readonly text: string; readonly tag: string; readonly untilMs: number } | undefined;
  return (request) => {
    const now = clock.monotonicNow();
    if (made === undefined || now >= made.untilMs) {
      const found = sources();
      if (found === undefined)
        return { status: 503, headers: { "retry-after": "2", "cache-control": "no-store" } };
      const text = JSON.stringify(pageData(found, clock.now()) satisfies PageData);
      made = { text, tag: tagOf(text), untilMs: now + MADE_EVERY_MS };
    }
    const headers = {
      "content-type": "application/json; charset=utf-8",
      // What a cluster holds belongs into no cache on disk; the script keeps the last answer itself.
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      etag: made.tag,
    };
    return conditional(request, made.tag, headers, made.text);
  };
}

function tagOf(text: string): string {
  return `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
}

/** RFC 9110, 13.1.2. */
function conditional(
  { headers: { "if-none-match": known } }: HandlerRequest,
  tag: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): HandlerAnswer {
  return known === tag ? { status: 304, headers } : { status: 200, headers, body };
}

/** Recorded requests: AdmissionReviews, and events of the API server's audit log, as JSON or YAML, one or many. */
import { access } from "node:fs/promises";
import { type AdmissionRequestLike, parseExactJson } from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { type Manifest, parseManifests, readBounded, readManifests } from "../manifests/read.ts";
import { isReview, requestOfReview } from "../policy-explain/subject.ts";
import { isAuditEvent, requestOfEvent } from "./audit-event.ts";

export interface RecordedRequest {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly request: AdmissionRequestLike;
}

export interface Records {
  readonly requests: readonly RecordedRequest[];
  /** Records that say too little to be judged, by the reason. */
  readonly passedOver: ReadonlyMap<string, number>;
}

const jsonLines = /\.(jsonl|ndjson|log)$/i;
const mostBytes = 512 * 1024 * 1024;

/** Throws UsageError naming file and line of what cannot be read. */
export async function readRecords(paths: readonly string[]): Promise<Records> {
  const requests: RecordedRequest[] = [];
  const passedOver = new Map<string, number>();
  for (const path of paths) {
    for (const manifest of await manifestsIn(path)) {
      const { file, line } = manifest;
      const request = requestIn(manifest);
      if (typeof request === "string") passedOver.set(request, (passedOver.get(request) ?? 0) + 1);
      else requests.push({ file, line, request });
    }
  }
  return { requests, passedOver };
}

/** A JSON object a line, or YAML. */
export async function manifestsIn(path: string): Promise<Manifest[]> {
  if (path !== "-" && !jsonLines.test(path)) return await readManifests([path]);
  return linesOf(path === "-" ? await standardInput() : await textOf(path), path === "-" ? "<stdin>" : path);
}

async function textOf(path: string): Promise<string> {
  await access(path).catch((cause: unknown) => {
    throw new UsageError("FileNotFound", `${path}: no such file or folder`, { cause });
  });
  return (await readBounded(path, mostBytes, "split it")).toString("utf8");
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** A JSON object a line; what does not begin with a whole one is read as a whole, as YAML. */
function linesOf(text: string, file: string): Manifest[] {
  const first = text.trimStart().split("\n", 1)[0] ?? "";
  if (!isJson(first)) return parseManifests(text, file);
  return text.split("\n").flatMap((written, index): Manifest[] => {
    if (written.trim() === "") return [];
    const line = index + 1;
    const object = parsedLine(written, file, line);
    return [{ file, line, object }];
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // That is the answer.
    return false;
  }
}

function parsedLine(written: string, file: string, line: number): Manifest["object"] {
  let value: unknown;
  try {
    value = parseExactJson(written);
  } catch (cause) {
    throw new UsageError("InvalidRecord", `${file}:${line}: is not a JSON object on one line`, { cause });
  }
  const { apiVersion, kind } = (value ?? {}) as { apiVersion?: unknown; kind?: unknown };
  if (typeof apiVersion === "string" && typeof kind === "string") return value as Manifest["object"];
  throw new UsageError(
    "InvalidRecord",
    `${file}:${line}: has no apiVersion and kind: give AdmissionReviews or audit events`,
  );
}

/** The reason where it is passed over. */
export function requestIn(manifest: Manifest): AdmissionRequestLike | string {
  if (isReview(manifest)) return requestOfReview(manifest);
  if (isAuditEvent(manifest)) return requestOfEvent(manifest.object);
  const { file, line, object } = manifest;
  throw new UsageError(
    "InvalidRecord",
    `${file}:${line}: ${object.kind} is neither an AdmissionReview nor an Event of audit.k8s.io`,
  );
}

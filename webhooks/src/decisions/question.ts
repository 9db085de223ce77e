/** Reads what is asked: documents in bodies and parameters, and OPA's switches. */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DocumentError, parseDocument, type RegoJson } from "@shieldx/policy-engine/decisions";
import type { BodyBudget } from "../server/body.ts";
import { HttpError } from "../server/http-error.ts";
import type { HttpRequest } from "../server/http-routes.ts";
import { isNestedDeeperThan } from "../server/json-depth.ts";
import { type DeciderParts, onShare } from "./decide.ts";
import { OpaError } from "./opa-error.ts";

/** As for admission reviews. */
const deepest = 1_000;

export interface ReaderParts extends DeciderParts {
  readonly budget: BodyBudget;
}

/** OPA's reading of a switch (v1/server getBoolParam): there without a value, or `true` in any case. */
export function isOn({ searchParams }: URL, name: string): boolean {
  const values = searchParams.getAll(name);
  if (values.length === 1 && values[0] === "") return true;
  return values.some((value) => value.toLowerCase() === "true");
}

/** `?input=`, the last where there are several; undefined where there is none. @throws OpaError 400 */
export function inputOfQuery({ searchParams }: URL, parts: ReaderParts): RegoJson | undefined {
  const text = searchParams.getAll("input").at(-1);
  return text === undefined
    ? undefined
    : parse(Buffer.from(text), "parameter contains malformed input document", parts);
}

const malformedBody = "body contains malformed input document";

/**
 * The whole body is the input, as OPA's v0 has it; an empty one is null.
 * @throws OpaError 400, HttpError
 */
export async function inputOfBody(request: HttpRequest, parts: ReaderParts): Promise<RegoJson> {
  const bytes = await readText(request, parts.budget);
  if (isBlank(bytes)) return null;
  return parse(bytes, `unexpected parse error for input: ${malformedBody}`, parts);
}

/**
 * The body as an object of members; empty and `null` have none.
 * @throws OpaError 400, HttpError
 */
export async function membersOfBody(
  request: HttpRequest,
  parts: ReaderParts,
): Promise<Readonly<Record<string, RegoJson>>> {
  const bytes = await readText(request, parts.budget);
  if (isBlank(bytes)) return {};
  const body = parse(bytes, malformedBody, parts);
  if (body === null) return {};
  if (typeof body !== "object" || Array.isArray(body))
    throw new OpaError(
      400,
      "invalid_parameter",
      `${malformedBody}: it must be an object such as {"input": …}`,
    );
  // Parsed JSON, so its objects are plain ones.
  return body as Readonly<Record<string, RegoJson>>;
}

/** An own member; `null` is as good as none, as in OPA. */
export function member(body: Readonly<Record<string, RegoJson>>, name: string): RegoJson | undefined {
  return Object.hasOwn(body, name) ? (body[name] ?? undefined) : undefined;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
}

/** While a document is read nobody else is answered: it counts as much as evaluating it. */
function parse(bytes: Buffer, complaint: string, parts: ReaderParts): RegoJson {
  return onShare(parts, () => parseNow(bytes, complaint));
}

function parseNow(bytes: Buffer, complaint: string): RegoJson {
  const refuse = (why: string) => new OpaError(400, "invalid_parameter", `${complaint}: ${why}`);
  if (isNestedDeeperThan(bytes, deepest)) throw refuse(`nested deeper than ${deepest}`);
  try {
    return parseDocument(bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof DocumentError) throw refuse(error.message);
    throw error;
  }
}

const unzip = promisify(gunzip);

/** The body, unpacked where it is packed, within the same bounds. */
async function readText(request: HttpRequest, budget: BodyBudget): Promise<Buffer> {
  const { "content-encoding": encoding = "identity", "content-type": type = "" } = request.headers;
  const isPacked = encoding.trim().toLowerCase() === "gzip";
  if (!isPacked && encoding !== "identity")
    throw new HttpError(
      "UnsupportedMediaType",
      `content encoding "${encoding.slice(0, 64)}" is not supported; send gzip or none`,
    );
  if (type.includes("yaml"))
    throw new HttpError("UnsupportedMediaType", "YAML is not supported here; send application/json");
  const bytes = await request.body();
  return isPacked && bytes.length > 0 ? await unpack(bytes, budget) : bytes;
}

async function unpack(bytes: Buffer, budget: BodyBudget): Promise<Buffer> {
  const { largestBytes } = budget.limits;
  // What comes out is known at the end only: room for the most is kept until then.
  if (!budget.take(largestBytes))
    throw new HttpError("Overloaded", "too many requests are being read at once; try again");
  try {
    return await unzip(bytes, { maxOutputLength: largestBytes });
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    if (isTooLarge)
      throw new HttpError(
        "RequestEntityTooLarge",
        `the request is too large: more than ${largestBytes} bytes when unpacked`,
        { cause: error },
      );
    const why = error instanceof Error ? error.message : String(error);
    throw new OpaError(400, "invalid_parameter", `could not decompress the body: ${why}`);
  } finally {
    budget.give(largestBytes);
  }
}

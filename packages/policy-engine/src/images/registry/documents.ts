/** Manifests and indices (OCI image-spec v1.1), as far as signatures are found by them; a stranger writes them. */
import { isJsonObject, type JsonObject } from "../../pod-security/shape-reader.ts";
import { isDigest } from "../reference.ts";
import { RegistryError } from "./errors.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType: string | undefined;
  readonly annotations: ReadonlyMap<string, string>;
}

export interface ManifestDocument {
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  /** Of a manifest. */
  readonly layers: readonly Descriptor[];
  /** Of an index. */
  readonly manifests: readonly Descriptor[];
}

/** Signatures of one image: who could push so many could push ever more. */
export const mostDescriptors = 64;
const longestAnnotation = 65_536;

/** Lists are cut off, and entries without a SHA-256 digest left out. @throws RegistryError */
export function parseManifest(bytes: Uint8Array, what: string): ManifestDocument {
  const json = parseObject(bytes, what);
  return {
    mediaType: textOf(json, "mediaType") ?? "",
    artifactType: textOf(json, "artifactType"),
    layers: descriptorsOf(json, "layers"),
    manifests: descriptorsOf(json, "manifests"),
  };
}

/** @throws RegistryError when it is no JSON object */
export function parseObject(bytes: Uint8Array, what: string): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new RegistryError(`${what} is no JSON`, { cause, isAnswer: true });
  }
  if (!isJsonObject(json)) throw new RegistryError(`${what} is no JSON object`, { isAnswer: true });
  return json;
}

function descriptorsOf(json: JsonObject, key: string): Descriptor[] {
  const list = ownOf(json, key);
  if (!Array.isArray(list)) return [];
  return list.slice(0, mostDescriptors).flatMap((item: unknown) => {
    if (!isJsonObject(item)) return [];
    const digest = textOf(item, "digest") ?? "";
    const size = ownOf(item, "size");
    if (!isDigest(digest) || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return [];
    return [
      {
        mediaType: textOf(item, "mediaType") ?? "",
        digest,
        size,
        artifactType: textOf(item, "artifactType"),
        annotations: annotationsOf(item),
      },
    ];
  });
}

function annotationsOf(item: JsonObject): ReadonlyMap<string, string> {
  const annotations = ownOf(item, "annotations");
  if (!isJsonObject(annotations)) return new Map();
  const entries = Object.entries(annotations).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === "string" && entry[1].length <= longestAnnotation,
  );
  return new Map(entries);
}

export function textOf(json: JsonObject, key: string): string | undefined {
  const value = ownOf(json, key);
  return typeof value === "string" ? value : undefined;
}

export function ownOf(json: JsonObject, key: string): unknown {
  return Object.hasOwn(json, key) ? json[key] : undefined;
}

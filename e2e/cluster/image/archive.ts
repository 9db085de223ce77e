/**
 * Writes OCI image layouts as one tar file, which `ctr images import` and `docker load` read: no registry is needed.
 * See the OCI image specification (image-layout, manifest, config) and containerd's `io.containerd.image.name`.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type TarEntry, tarArchive, withParents } from "./tar.ts";

export interface ImageConfig {
  /** `UID:GID`. */
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface Image {
  /** With its host: the kubelet does not find `local/NAME`, only `docker.io/local/NAME:TAG`. */
  readonly name: string;
  readonly architecture: "amd64" | "arm64";
  readonly config: ImageConfig;
  readonly layers: readonly (readonly TarEntry[])[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface ArchiveOptions {
  /** Layers as registries hold them. Off for a local node: what is read once from its disk gains nothing from gzip. */
  readonly isCompressed?: boolean;
}

type Blob = Descriptor & ({ readonly file: string } | { readonly bytes: Uint8Array });

/**
 * Writes all images into one archive at `path` and returns the digest of each manifest, in order.
 * The same images give the same bytes. Parents of layer entries are added.
 */
export async function writeImageArchive(
  path: string,
  images: readonly Image[],
  options: ArchiveOptions = {},
): Promise<string[]> {
  await mkdir(dirname(path), { recursive: true });
  const scratch = `${path}.${process.pid}.tmp`;
  await mkdir(scratch, { recursive: true });
  try {
    const blobs = new Map<string, Blob>();
    const manifests = [];
    for (const [index, image] of images.entries()) {
      const manifest = await imageBlobs(image, join(scratch, `${index}`), blobs, options);
      manifests.push({
        mediaType: manifest.mediaType,
        digest: manifest.digest,
        size: manifest.size,
        annotations: {
          "io.containerd.image.name": image.name,
          "org.opencontainers.image.ref.name": image.name.slice(image.name.lastIndexOf(":") + 1),
        },
        platform: { architecture: image.architecture, os: "linux" },
      });
    }
    const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
    const entries: TarEntry[] = [
      { type: "file", path: "oci-layout", mode: 0o644, content: json({ imageLayoutVersion: "1.0.0" }) },
      { type: "file", path: "index.json", mode: 0o644, content: json(index) },
      ...[...blobs.values()].map(blobEntry),
    ];
    await pipeline(
      Readable.from(tarArchive(withParents(entries))),
      createWriteStream(join(scratch, "archive")),
    );
    await rename(join(scratch, "archive"), path);
    return manifests.map(({ digest }) => digest);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function imageBlobs(
  image: Image,
  scratch: string,
  blobs: Map<string, Blob>,
  { isCompressed = false }: ArchiveOptions,
): Promise<Blob> {
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const [index, entries] of image.layers.entries()) {
    const { blob, diffId } = await layerBlob(entries, `${scratch}-${index}`, isCompressed);
    blobs.set(blob.digest, blob);
    layers.push(descriptor(blob));
    diffIds.push(diffId);
  }
  const config = jsonBlob("application/vnd.oci.image.config.v1+json", {
    created: "1970-01-01T00:00:00Z",
    architecture: image.architecture,
    os: "linux",
    config: image.config,
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = jsonBlob("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor(config),
    layers,
  });
  blobs.set(config.digest, config).set(manifest.digest, manifest);
  return manifest;
}

/** A layer's name is the digest of what is stored, its diff id that of the tar archive in it. */
async function layerBlob(
  entries: readonly TarEntry[],
  file: string,
  isCompressed: boolean,
): Promise<{ blob: Blob; diffId: string }> {
  const [content, stored] = [createHash("sha256"), createHash("sha256")];
  async function* archived() {
    for await (const chunk of tarArchive(withParents(entries))) {
      content.update(chunk);
      yield chunk;
    }
  }
  async function* hashed(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      stored.update(chunk);
      yield chunk;
    }
  }
  // Node writes no time and no name into a gzip header, so equal layers give equal bytes.
  if (isCompressed) await pipeline(Readable.from(archived()), createGzip(), hashed, createWriteStream(file));
  else await pipeline(Readable.from(archived()), hashed, createWriteStream(file));
  const blob = {
    mediaType: `application/vnd.oci.image.layer.v1.tar${isCompressed ? "+gzip" : ""}`,
    digest: `sha256:${stored.digest("hex")}`,
    size: (await stat(file)).size,
    file,
  };
  return { blob, diffId: `sha256:${content.digest("hex")}` };
}

function jsonBlob(mediaType: string, value: unknown): Blob {
  const bytes = json(value);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { mediaType, digest, size: bytes.byteLength, bytes };
}

function blobEntry(blob: Blob): TarEntry {
  const path = `blobs/${blob.digest.replace(":", "/")}`;
  return "bytes" in blob
    ? { type: "file", path, mode: 0o644, content: blob.bytes }
    : { type: "file", path, mode: 0o644, source: blob.file, sizeBytes: blob.size };
}

function descriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

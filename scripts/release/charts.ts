/** Chart packages as `helm package` makes them, but with the same bytes for the same files: no times, no owner. */
import { createWriteStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { parse } from "yaml";
import { type TarEntry, tarArchive } from "../../e2e/cluster/image/tar.ts";

/** Writes NAME-VERSION.tgz into `folder` and returns its name. */
export async function packChart(chart: string, folder: string): Promise<string> {
  const { name, version } = parse(await readFile(join(chart, "Chart.yaml"), "utf8")) as {
    name: string;
    version: string;
  };
  const entries: TarEntry[] = [];
  for (const path of (await readdir(chart, { recursive: true })).sort()) {
    const source = join(chart, path);
    const { size: sizeBytes, isFile } = await stat(source).then((info) => ({
      size: info.size,
      isFile: info.isFile(),
    }));
    if (isFile) entries.push({ type: "file", path: `${name}/${path}`, mode: 0o644, source, sizeBytes });
  }
  // Helm wants Chart.yaml first, so that an index can be made without reading on.
  entries.sort((a, b) => Number(b.path.endsWith("/Chart.yaml")) - Number(a.path.endsWith("/Chart.yaml")));
  const file = `${name}-${version}.tgz`;
  await pipeline(Readable.from(tarArchive(entries)), createGzip(), createWriteStream(join(folder, file)));
  return file;
}

/** The images every node starts with: the Pod sandbox, cluster DNS, and a small userland for test Pods. */
import { stat } from "node:fs/promises";
import { run } from "../node/command.ts";
import type { Image } from "./archive.ts";
import { type BuiltArchive, buildArchive } from "./build.ts";
import { debianEntries } from "./debian.ts";
import type { TarEntry } from "./tar.ts";

export const pauseImage = "docker.io/local/pause:test";
export const busyboxImage = "docker.io/local/busybox:test";
export const corednsImage = "docker.io/local/coredns:test";

/** Go's and Node's name of this machine in an image's words. Throws RangeError on any other than amd64 and arm64. */
export function imageArchitecture(arch: string = process.arch): "amd64" | "arm64" {
  if (arch === "x64") return "amd64";
  if (arch === "arm64") return "arm64";
  throw new RangeError(`images are built for x64 and arm64, this machine is ${arch}`);
}

export async function buildNodeImages(binaries: { pause: string; coredns: string }): Promise<BuiltArchive> {
  const architecture = imageArchitecture();
  const images: Image[] = [
    {
      name: pauseImage,
      architecture,
      config: { User: "65535:65535", Entrypoint: ["/pause"] },
      layers: [[await program("pause", binaries.pause)]],
    },
    {
      name: corednsImage,
      architecture,
      config: { User: "65532:65532", Entrypoint: ["/coredns"] },
      layers: [[await program("coredns", binaries.coredns)]],
    },
    {
      name: busyboxImage,
      architecture,
      config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["sh"] },
      layers: [await busyboxFiles()],
    },
  ];
  return await buildArchive("node", images);
}

async function program(path: string, source: string): Promise<TarEntry> {
  return { type: "file", path, mode: 0o755, source, sizeBytes: (await stat(source)).size };
}

/** Debian's busybox 1.35 crashes on `wget -T`: bound its time with `timeout` instead. */
async function busyboxFiles(): Promise<TarEntry[]> {
  const files = await debianEntries(["busybox-static"]);
  const busybox = files.find((entry) => entry.path === "usr/bin/busybox");
  if (busybox?.type !== "file" || !("source" in busybox)) {
    throw new Error("the package busybox-static holds no bin/busybox");
  }
  const applets = (await run(busybox.source, ["--list"]))
    .split("\n")
    .filter((name) => /^[\w[.-]+$/.test(name));
  return [
    busybox,
    ...applets
      .filter((name) => name !== "busybox")
      .map(
        (name): TarEntry => ({ type: "symlink", path: `usr/bin/${name}`, mode: 0o777, target: "busybox" }),
      ),
    { type: "directory", path: "tmp", mode: 0o1777 },
    { type: "directory", path: "root", mode: 0o700 },
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n"),
    text("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
  ];
}

export function text(path: string, content: string): TarEntry {
  return { type: "file", path, mode: 0o644, content: Buffer.from(content) };
}

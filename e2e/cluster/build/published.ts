/**
 * Files read from published Go modules at the moment they are needed: real manifests and fixtures that are input to
 * tests and the demo, and that this repository therefore does not copy.
 */
import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ClusterError } from "../errors.ts";
import { goEnvironment, goToolchain } from "./toolchain.ts";

export interface PublishedModule {
  readonly path: string;
  readonly version: string;
  /** The module's `h1:` hash as a go.sum file holds it. */
  readonly sum: string;
}

const manifests = {
  "argo-cd": {
    path: "github.com/argoproj/argo-cd/v3",
    version: "v3.1.1",
    sum: "h1:5qzZUtfpHTwrySprpQwpvjPUHKUz7gBs/wK7PSiVQ8I=",
    file: "manifests/install.yaml",
  },
  "cloudnative-pg": {
    path: "github.com/cloudnative-pg/cloudnative-pg",
    version: "v1.27.0",
    sum: "h1:mp0zlYO4vKAJmQdArWORWKr1lmB4Hj8JeBQGX5RBnpg=",
    file: "releases/cnpg-1.27.0.yaml",
  },
  "prometheus-operator": {
    path: "github.com/prometheus-operator/prometheus-operator",
    version: "v0.85.0",
    sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    file: "example/prometheus-operator-crd",
  },
  metallb: {
    path: "go.universe.tf/metallb",
    version: "v0.16.2",
    sum: "h1:RCSAGoZmqcvTg0e56+Okbwz8iTuQVX30JpKX5mYEPUM=",
    file: "config/manifests/metallb-native.yaml",
  },
} as const satisfies Record<string, PublishedModule & { file: string }>;

export type ManifestName = keyof typeof manifests;

const run = promisify(execFile);
const underWay = new Map<string, Promise<string>>();

/** Path of an installation manifest as its project published it. Throws `PREREQUISITE` or `BUILD_FAILED`. */
export async function publishedManifest(name: ManifestName): Promise<string> {
  const { file, ...module } = manifests[name];
  return await publishedFile(module, file);
}

/** Path of a file or folder inside a published module, downloaded once into Go's module cache and checked against `sum`. */
export async function publishedFile(module: PublishedModule, file: string): Promise<string> {
  const id = `${module.path}@${module.version}`;
  let download = underWay.get(id);
  if (download === undefined) {
    download = moduleFolder(module, id).finally(() => underWay.delete(id));
    underWay.set(id, download);
  }
  const path = join(await download, file);
  await access(path).catch((cause: unknown) => {
    throw new ClusterError("BUILD_FAILED", `${id} holds no ${file}`, { cause });
  });
  return path;
}

async function moduleFolder(module: PublishedModule, id: string): Promise<string> {
  const go = await goToolchain();
  // `go mod download` prints its JSON, with the reason under Error, also where it ends with a failure.
  const { stdout } = await run(go.command, ["mod", "download", "-json", id], {
    cwd: "/",
    env: await goEnvironment({ goos: go.os, goarch: go.arch }),
  }).catch((error: unknown) => {
    const output = error instanceof Error && "stdout" in error ? String(error.stdout) : "";
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
    throw new ClusterError("BUILD_FAILED", `go mod download ${id} failed: ${output || stderr}`, {
      cause: error,
    });
  });
  const answer: unknown = JSON.parse(stdout);
  if (typeof answer !== "object" || answer === null || !("Dir" in answer) || typeof answer.Dir !== "string") {
    throw new ClusterError("BUILD_FAILED", `go mod download ${id} named no folder: ${stdout}`);
  }
  const sum = "Sum" in answer ? answer.Sum : undefined;
  if (sum !== module.sum) {
    throw new ClusterError("BUILD_FAILED", `${id} has the hash ${String(sum)}, pinned is ${module.sum}`);
  }
  return answer.Dir;
}

/** Finds the Go toolchain and says what to do where there is none, or one that is too old for a module. */
import { execFile } from "node:child_process";
import { access, constants, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { missingPrerequisite } from "../errors.ts";
import { cacheFolder } from "./cache.ts";

export interface GoToolchain {
  readonly command: string;
  /** As `go env GOVERSION` prints it, e.g. `go1.26.8`. */
  readonly version: string;
  readonly os: string;
  readonly arch: string;
}

const run = promisify(execFile);
/** The release the modules were locked and built with; what the installation command in messages downloads. */
const provenVersion = "1.26.8";

let found: Promise<GoToolchain> | undefined;

/** The toolchain of this machine, looked up once. Throws `PREREQUISITE`. */
export function goToolchain(): Promise<GoToolchain> {
  found ??= findToolchain(process.env);
  return found;
}

async function findToolchain(env: NodeJS.ProcessEnv): Promise<GoToolchain> {
  // sudo drops /usr/local/go/bin from PATH, so the places where Go's own installer puts it are looked at as well.
  const folders = [...(env.PATH ?? "").split(delimiter), "/usr/local/go/bin", "/usr/lib/go/bin"];
  for (const folder of folders.filter((entry) => entry !== "")) {
    const command = join(folder, "go");
    const executable = await access(command, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!executable) continue;
    const { stdout } = await run(command, ["env", "GOVERSION", "GOHOSTOS", "GOHOSTARCH"], {
      env: { ...env, GOTOOLCHAIN: env.GOTOOLCHAIN ?? "local" },
    });
    const [version = "", os = "", arch = ""] = stdout.trim().split("\n");
    return { command, version, os, arch };
  }
  throw missingPrerequisite("Go is not installed (no `go` in PATH or /usr/local/go/bin).", installCommand());
}

/** Throws `PREREQUISITE` when the module asks for a newer Go than `version`. */
export async function checkGoVersion(module: string, version: string): Promise<void> {
  const wanted = requiredGo(await readFile(join(module, "go.mod"), "utf8"));
  if (wanted !== undefined && compareVersions(version.replace(/^go/, ""), wanted) < 0) {
    throw missingPrerequisite(
      `${version} is too old: ${join(module, "go.mod")} needs Go ${wanted}.`,
      installCommand(),
    );
  }
}

/** The version on the `go` line of a go.mod file. */
export function requiredGo(goMod: string): string | undefined {
  return /^go\s+(\d+(?:\.\d+)*)/m.exec(goMod)?.[1];
}

/** Compares dotted numbers; a suffix such as `rc1` is ignored. */
export function compareVersions(left: string, right: string): number {
  const a = left.split(".").map((part) => Number.parseInt(part, 10) || 0);
  const b = right.split(".").map((part) => Number.parseInt(part, 10) || 0);
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function installCommand(): string {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const file = `go${provenVersion}.${process.platform}-${arch}.tar.gz`;
  return `curl -fsSL https://go.dev/dl/${file} | sudo tar -C /usr/local -xz && export PATH=/usr/local/go/bin:$PATH`;
}

/**
 * The environment Go runs in: nothing from outside changes what is built, and a user without a home still gets caches.
 */
export async function goEnvironment(target: {
  readonly goos: string;
  readonly goarch: string;
}): Promise<NodeJS.ProcessEnv> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    CGO_ENABLED: "0",
    GOOS: target.goos,
    GOARCH: target.goarch,
    GOFLAGS: "",
    GOWORK: "off",
    GOTOOLCHAIN: process.env.GOTOOLCHAIN ?? "local",
  };
  const isHomeUsable = await access(env.HOME ?? homedir(), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isHomeUsable) {
    env.GOCACHE ??= join(cacheFolder(), "go-build");
    env.GOPATH ??= join(cacheFolder(), "go");
  }
  return env;
}

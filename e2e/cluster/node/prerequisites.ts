/** What the nodes need of the machine, checked by name, and installed only where that was asked for. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { runCommand } from "../command.ts";
import { ClusterError, missingPrerequisite } from "../errors.ts";

export interface Prerequisite {
  /** A program, looked up in PATH and the sbin folders, or the absolute path of a file. */
  readonly needs: string;
  readonly debianPackage: string;
}

export const prerequisites: readonly Prerequisite[] = [
  { needs: "ip", debianPackage: "iproute2" },
  { needs: "nsenter", debianPackage: "util-linux" },
  { needs: "unshare", debianPackage: "util-linux" },
  { needs: "mount", debianPackage: "mount" },
  { needs: "runc", debianPackage: "runc" },
  { needs: "/usr/lib/cni/ptp", debianPackage: "containernetworking-plugins" },
  { needs: "/usr/lib/cni/host-local", debianPackage: "containernetworking-plugins" },
  { needs: "/usr/lib/cni/portmap", debianPackage: "containernetworking-plugins" },
  { needs: "nft", debianPackage: "nftables" },
  { needs: "iptables", debianPackage: "iptables" },
  { needs: "ipset", debianPackage: "ipset" },
  { needs: "conntrack", debianPackage: "conntrack" },
  { needs: "busybox", debianPackage: "busybox-static" },
];

/** What suites use beside the nodes: missing, they are skipped and say so. */
export const suitePrerequisites: readonly Prerequisite[] = [
  { needs: "prometheus", debianPackage: "prometheus" },
  { needs: "promtool", debianPackage: "prometheus" },
  { needs: "chromium", debianPackage: "chromium" },
];

/** Throws `PREREQUISITE`: what is missing and the command that installs it. Installs it first where `shouldInstall()`. */
export async function checkPrerequisites(): Promise<void> {
  await ensurePrerequisites({ install: shouldInstall() });
}

/** Packages are put on a machine only where its owner said so, or where it is a CI machine. */
export function shouldInstall(env: NodeJS.ProcessEnv = process.env): boolean {
  return env.SHIELDX_INSTALL === "1" || (env.SHIELDX_INSTALL === undefined && env.CI === "true");
}

export async function ensurePrerequisites(options: { readonly install: boolean }): Promise<void> {
  if (process.platform !== "linux") {
    throw new ClusterError("PREREQUISITE", `nodes need Linux, this is ${process.platform}: use CLUSTER=kind`);
  }
  if (process.getuid?.() !== 0) {
    throw missingPrerequisite("nodes need root (namespaces, mounts, container runtime)", "sudo -E make …");
  }
  const missing = await missingPrerequisites();
  const forSuites = options.install ? await missingPrerequisites(suitePrerequisites) : [];
  if (missing.length === 0 && forSuites.length === 0) return;
  if (!options.install) throw complaint(missing);
  await install(packagesOf([...missing, ...forSuites]));
  const still = await missingPrerequisites();
  if (still.length > 0) throw complaint(still);
}

export async function missingPrerequisites(
  wanted: readonly Prerequisite[] = prerequisites,
): Promise<Prerequisite[]> {
  const found = await Promise.all(wanted.map(({ needs }) => isExecutable(needs)));
  return wanted.filter((_, index) => !found[index]);
}

/** Names every program that is missing, and one command for all. */
export function complaint(missing: readonly Prerequisite[]): ClusterError {
  const names = missing.map(({ needs, debianPackage }) => `${needs} (Debian package ${debianPackage})`);
  return missingPrerequisite(
    `nodes need ${names.join(", ")}`,
    `apt-get update && apt-get install --yes --no-install-recommends ${packagesOf(missing).join(" ")}` +
      "   # or set SHIELDX_INSTALL=1",
  );
}

function packagesOf(missing: readonly Prerequisite[]): string[] {
  return [...new Set(missing.map(({ debianPackage }) => debianPackage))];
}

async function install(packages: readonly string[]): Promise<void> {
  process.stderr.write(`installing ${packages.join(" ")}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = { env, timeoutMs: 600_000 };
  for (const args of [
    ["update", "-qq"],
    ["install", "--yes", "--no-install-recommends", "-qq", ...packages],
  ]) {
    const { code, stderr, stdout } = await runCommand("apt-get", args, options);
    if (code !== 0) {
      throw missingPrerequisite(
        `apt-get ${args[0]} failed: ${(stderr || stdout).trim().split("\n").slice(-5).join("\n")}`,
        `apt-get install --yes ${packages.join(" ")}`,
      );
    }
  }
}

async function isExecutable(needs: string): Promise<boolean> {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  const paths = needs.startsWith("/") ? [needs] : folders.map((folder) => join(folder, needs));
  const checks = paths.map((path) =>
    access(path, constants.X_OK).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(checks)).includes(true);
}

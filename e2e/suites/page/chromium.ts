// A real Chromium (Debian's package), driven without a screen.
import { execFileSync } from "node:child_process";
import { type Browser, chromium } from "playwright-core";

/** Whether the machine has it; `make e2e` and CI install Debian's package, see e2e/cluster/node/prerequisites.ts. */
export const chromiumVersion = ((): string | undefined => {
  try {
    return execFileSync("chromium", ["--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
})();
if (chromiumVersion === undefined) {
  console.warn("skipped: no Chromium here. apt-get install --no-install-recommends chromium");
}

/** It asks nobody on the network but the page that it is shown. Its sandbox needs namespaces, which root in a container has not. */
export async function startChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: execFileSync("which", ["chromium"], { encoding: "utf8" }).trim(),
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
    ],
  });
}

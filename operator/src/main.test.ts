import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const runner = `import { main } from ${JSON.stringify(new URL("./main.ts", import.meta.url).href)};
process.exitCode = await main(process.argv.slice(1));`;

/** The process as the image starts it: arguments in, exit code and streams out. */
async function run(...argv: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", runner, "--", ...argv], {
    env: { ...process.env, KUBECONFIG: undefined, HOME: "/nonexistent" },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

describe("shieldx operator", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "shieldx-operator-"));
  });
  afterAll(() => rm(dir, { recursive: true }));
  const noPorts = ["--metrics-bind-address=0", "--health-bind-address=0"];

  it("prints its flags", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    expect(stdout).toContain("--webhook-probe-url");
  });

  it.each([
    ["an unknown flag", ["--frobnicate"], /--frobnicate/],
    ["half of a host's addresses", ["--webhook-url=https://127.0.0.1:1"], /go together/],
    [
      "a kubeconfig that is not there",
      ["--kubeconfig=/nonexistent/config", ...noPorts],
      /\/nonexistent\/config/,
    ],
  ])("ends with one line and code 1 for %s", async (_what, argv, message) => {
    const { code, stderr } = await run(...argv);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(/^shieldx operator: /);
    expect(stderr).toMatch(message);
  });

  it("ends with one line and code 1 for a kubeconfig that is none", async () => {
    const path = join(dir, "config");
    await writeFile(path, "clusters: [");
    const { code, stderr } = await run(`--kubeconfig=${path}`, ...noPorts);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(path);
  });
});

/** The guide's examples of tests in formats of others, as a reader pastes them. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGoBinaryOrSkip, regoCompiler } from "@shieldx/e2e/cluster/build";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../e2e/cluster/index.ts";
import { commandBlocks, missingLine } from "../../../e2e/suites/docs/markdown.ts";

const compiler = await buildGoBinaryOrSkip(regoCompiler, "tests of the guide");
const guide = await readFile(new URL("../../../docs/guides/policy-tools.md", import.meta.url), "utf8");
const headings = ["Gatekeeper: suite.yaml", "Kyverno: kyverno-test.yaml", "Rego: test_ rules"];
const blocks = commandBlocks(guide).filter(({ heading }) => headings.includes(heading));

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-guide-"));
  await mkdir(join(folder, "bin"));
  const bin = new URL("../bin.ts", import.meta.url).pathname;
  await writeFile(join(folder, "bin", "shieldctl"), `#!/bin/sh\nexec ${process.execPath} ${bin} "$@"\n`);
  await chmod(join(folder, "bin", "shieldctl"), 0o755);
});
afterAll(async () => rm(folder, { recursive: true }));

describe.skipIf(compiler === undefined)("the guide's tests of others", () => {
  it("are all here", () => {
    expect(new Set(blocks.map(({ heading }) => heading))).toEqual(new Set(headings));
  });

  it.each(blocks)("line $line: $heading", async ({ script, expected }) => {
    const env = {
      PATH: `${join(folder, "bin")}:${process.env.PATH}`,
      SHIELDX_REGO_COMPILER: compiler,
      NO_COLOR: "1",
    };
    const whole = `cd ${folder}\nset -e\nexec 2>&1\n${script}`;
    const { code, stdout } = await runCommand("bash", ["-c", whole], { env, timeoutMs: 100_000 });
    expect({ code, missing: missingLine(expected, stdout) }, stdout).toEqual({ code: 0, missing: undefined });
  });
});

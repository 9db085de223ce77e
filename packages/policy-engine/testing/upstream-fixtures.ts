import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";

export const upstreamModule = "k8s.io/pod-security-admission@v0.37.2";

/** How many Pods the module's `test/testdata` holds at that version. */
export const upstreamFixtureCount = 4537;

export interface UpstreamFixture {
  readonly level: "baseline" | "restricted";
  readonly version: `v1.${number}`;
  readonly expected: "pass" | "fail";
  /** The file's name without number and suffix: the check it is about, in lower case, or `base`. */
  readonly subject: string;
  readonly file: string;
  readonly pod: FixturePod;
}

export interface FixturePod {
  readonly metadata: Record<string, unknown>;
  readonly spec: Record<string, unknown>;
  readonly [key: string]: unknown;
}

/** Where Go keeps the module; downloads it on first use. Throws when `go` is missing or the download fails. */
export function upstreamModuleFolder(): string {
  const answer = execFileSync("go", ["mod", "download", "-json", upstreamModule], {
    cwd: tmpdir(),
    encoding: "utf8",
    env: { ...process.env, GOFLAGS: "-mod=mod" },
  });
  const { Dir: folder } = JSON.parse(answer) as { Dir: string };
  return folder;
}

/** Every Pod of `test/testdata/<level>/<version>/<pass|fail>`, read where Go unpacked the module. */
export function readUpstreamFixtures(folder: string = upstreamModuleFolder()): UpstreamFixture[] {
  const root = join(folder, "test", "testdata");
  const fixtures: UpstreamFixture[] = [];
  for (const level of ["baseline", "restricted"] as const) {
    for (const version of readdirSync(join(root, level)) as `v1.${number}`[]) {
      for (const expected of ["pass", "fail"] as const) {
        const directory = join(root, level, version, expected);
        for (const name of readdirSync(directory)) {
          const file = join(directory, name);
          const pod = parse(readFileSync(file, "utf8")) as FixturePod;
          fixtures.push({ level, version, expected, subject: name.replace(/[0-9]*\.yaml$/, ""), file, pod });
        }
      }
    }
  }
  return fixtures;
}

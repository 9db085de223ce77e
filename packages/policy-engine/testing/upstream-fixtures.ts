import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { publishedFile } from "@shieldx/e2e/cluster/build";
import { parse } from "yaml";

export const upstreamModule = {
  path: "k8s.io/pod-security-admission",
  version: "v0.37.2",
  sum: "h1:mnfCR7fUzsvtiSiYZD9HTcTJ9cpJDMnQn++9Rq1mlrc=",
} as const;

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

/**
 * Every Pod of `test/testdata/<level>/<version>/<pass|fail>`, read where Go unpacked the module; downloads it on first
 * use. Throws ClusterError when there is no Go, the download fails, or the module is not the pinned one.
 */
export async function readUpstreamFixtures(): Promise<UpstreamFixture[]> {
  const root = await publishedFile(upstreamModule, join("test", "testdata"));
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

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { buildShieldctl } from "../pipelines/tools.test-kit.ts";
import { judgeAll, wholeLibrary } from "./judged.ts";
import type { Published } from "./published.ts";
import { expectedOf } from "./recorded.ts";
import { reviews } from "./reviews.ts";

/** Each is found to be as it is written down, and all that is found has been looked at. */
export function judgesAsRecorded(published: readonly Published[]): void {
  let judgements: Awaited<ReturnType<typeof judgeAll>>;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "charts-"));
    try {
      const policies = join(folder, "library.yaml");
      await writeFile(policies, await wholeLibrary());
      judgements = await judgeAll(published, await buildShieldctl(folder), policies);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 600_000);

  it.each(published.map(({ name }) => name))("%s", (name) => {
    const found = judgements.get(name);
    if (found === undefined) throw new Error("it has not been judged");
    const { all, ...judged } = found;
    expect(judged).toEqual(expectedOf(name, judged));
    const unknown = all.filter(({ policy, message }) => !reviews.has(policy) || message.includes(NO_VERDICT));
    expect(
      unknown.map(({ policy, message }) => `${policy}: ${message}`),
      "look whether this is a false alarm, and say what it is in reviews.ts",
    ).toEqual([]);
  });
}

/** What is said of a policy that failed: that is never what an installation is like. */
const NO_VERDICT = "could not be evaluated";

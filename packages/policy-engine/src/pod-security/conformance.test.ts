import { beforeAll, describe, expect, it } from "vitest";
import {
  readUpstreamFixtures,
  type UpstreamFixture,
  upstreamFixtureCount,
} from "../../testing/upstream-fixtures.ts";
import { allChecks } from "./catalogue.ts";
import { evaluatePodSecurity } from "./evaluate.ts";

describe("upstream's Pod Security fixtures", () => {
  let fixtures: UpstreamFixture[] = [];
  beforeAll(async () => {
    fixtures = await readUpstreamFixtures();
  }, 120_000);

  const judge = ({ level, version, pod }: UpstreamFixture) =>
    evaluatePodSecurity({ level, version, metadata: pod.metadata, spec: pod.spec });

  it("are all there", () => {
    expect(fixtures).toHaveLength(upstreamFixtureCount);
    expect(new Set(fixtures.map(({ version }) => version)).size).toBe(38);
  });

  it("are admitted where upstream admits them", () => {
    const passing = fixtures.filter(({ expected }) => expected === "pass");
    const refused = passing.flatMap((fixture) => {
      const { violations } = judge(fixture);
      return violations.length > 0 ? [{ file: fixture.file, violations }] : [];
    });
    expect(refused).toEqual([]);
    expect(passing.length).toBeGreaterThan(1000);
  });

  it("are refused where upstream refuses them, by the check the file is named for", () => {
    const failing = fixtures.filter(({ expected }) => expected === "fail");
    const wrong = failing.flatMap((fixture) => {
      const ids = judge(fixture).violations.map((violation) => violation.checkId);
      const named = checkNamed(fixture.subject);
      const judges = [named, ...replacementsOf(named)];
      return ids.some((id) => judges.includes(id)) ? [] : [{ file: fixture.file, ids, judges }];
    });
    expect(wrong).toEqual([]);
    expect(failing.length).toBeGreaterThan(3000);
    console.info(`Pod Security fixtures: ${fixtures.length} judged, ${failing.length} of them refused`);
  });

  it("cover every check of ours", () => {
    const subjects = new Set(
      fixtures.filter(({ expected }) => expected === "fail").map(({ subject }) => subject),
    );
    expect([...subjects].map(checkNamed).sort()).toEqual(allChecks.map(({ id }) => id).sort());
  });
});

function checkNamed(subject: string): string {
  const check = allChecks.find(({ id }) => id.toLowerCase() === subject);
  if (check === undefined) throw new Error(`no check is named like the fixture "${subject}"`);
  return check.id;
}

/** At restricted a stricter check may stand in for the baseline one a file is named for. */
function replacementsOf(id: string): string[] {
  return allChecks
    .filter(({ editions }) => editions.some(({ replaces }) => replaces === id))
    .map((check) => check.id);
}

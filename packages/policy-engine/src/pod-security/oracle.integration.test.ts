import { buildGoBinary } from "@shieldx/e2e/cluster/build";
import { describe, expect, it } from "vitest";
import { mutatedPod, type PodQuestion } from "../../testing/mutated-pods.ts";
import { askOracle, type OracleAnswer, oracleModule } from "../../testing/oracle.ts";
import { readUpstreamFixtures } from "../../testing/upstream-fixtures.ts";
import { evaluatePodSecurity } from "./evaluate.ts";

/** The first seed; each Pod has its own. Replay one with SHIELDX_ORACLE_SEED=<its seed> SHIELDX_ORACLE_PODS=1. */
const firstSeed = Number(process.env.SHIELDX_ORACLE_SEED ?? 20_260_101);
const podCount = Number(process.env.SHIELDX_ORACLE_PODS ?? 50_000);
const batchSize = 5_000;

describe("upstream's own evaluator", () => {
  it(`agrees on ${podCount} mutated Pods: verdict, reasons and details`, { timeout: 300_000 }, async () => {
    const [binary, fixtures] = await Promise.all([
      buildGoBinary({ module: oracleModule, output: "pod-security-oracle" }),
      readUpstreamFixtures(),
    ]);
    const differences: unknown[] = [];
    const denialsByCheck = new Map<string, number>();
    let denied = 0;
    for (let start = 0; start < podCount; start += batchSize) {
      const size = Math.min(batchSize, podCount - start);
      const questions = Array.from({ length: size }, (_, i) => mutatedPod(fixtures, firstSeed + start + i));
      const answers = await askOracle(binary, questions);
      expect(answers).toHaveLength(questions.length);
      questions.forEach((question, i) => {
        const ours = judge(question);
        if (!ours.allowed) denied++;
        for (const { checkId } of ours.violations)
          denialsByCheck.set(checkId, (denialsByCheck.get(checkId) ?? 0) + 1);
        const difference = compare(ours, answers[i]!);
        if (difference !== undefined) differences.push({ seed: question.seed, ...difference, question });
      });
      if (differences.length > 0) break;
    }
    expect(differences.slice(0, 3)).toEqual([]);
    const share = denied / podCount;
    console.info(
      `oracle: ${podCount} Pods from seed ${firstSeed}, ${denied} denied (${(share * 100).toFixed(1)} %), ` +
        `by check ${JSON.stringify(Object.fromEntries([...denialsByCheck].sort()))}`,
    );
    if (podCount < 1000) return;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.97);
    expect(denialsByCheck.size).toBe(19);
  });
});

function judge({ level, version, podMetadata, podSpec }: PodQuestion) {
  return evaluatePodSecurity({ level, version, metadata: podMetadata, spec: podSpec });
}

function compare(ours: ReturnType<typeof judge>, theirs: OracleAnswer): object | undefined {
  const mine = {
    allowed: ours.allowed,
    reasons: ours.violations.map(({ reason }) => reason),
    details: ours.violations.map(({ detail }) => detail),
  };
  const upstream = {
    allowed: theirs.allowed,
    reasons: theirs.reasons ?? [],
    details: theirs.details ?? [],
    ...(theirs.error === undefined ? {} : { error: theirs.error }),
  };
  return JSON.stringify(mine) === JSON.stringify(upstream) ? undefined : { mine, upstream };
}

/** Rego beside OPA itself: one evaluation against `opa bench`, decisions over HTTPS against its server. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chartEnvironment } from "../../admission/shipped.ts";
import { compared } from "../../lib/line.ts";
import { MeasuredProcess } from "../../lib/measured-process.ts";
import { median } from "../../lib/statistics.ts";
import type { Lines } from "../figures.ts";
import { type Endpoint, WebhookStand } from "../lone-webhook.ts";
import { reviewOf } from "../review.ts";
import { ReviewLanes } from "../review-lanes.ts";
import { changedPod } from "../rules/pod-change.ts";
import type { PolicyBenchSettings } from "../settings.ts";
import { opaBenchMs, startOpa } from "./opa-peer.ts";
import { sixRules, sixRulesPackage } from "./six-rules.ts";

const connections = 8;
/** Code is to be compiled as in a process that has served for a while. */
const warmUpMs = 3_000;
const path = `/v1/data/${sixRulesPackage.replaceAll(".", "/")}/deny`;

export async function benchOpa(settings: PolicyBenchSettings): Promise<Lines> {
  const { request: review } = reviewOf(changedPod("typical", {}), "bench", "review");
  const input = { review };
  return [...(await benchSixRules(input, settings)), ...(await benchDecisions(input, settings))];
}

async function benchSixRules(input: object, { runs, turnSeconds }: PolicyBenchSettings): Promise<Lines> {
  const env = await chartEnvironment();
  const args = [join(import.meta.dirname, "six-process.ts"), String(turnSeconds)];
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < runs; round++) {
    theirs.push(await opaBenchMs(`data.${sixRulesPackage}.deny`, sixRules, input));
    await using child = new MeasuredProcess({ command: process.execPath, args, env });
    ours.push(((await child.report("evaluated", 120_000)) as { medianMs: number }).medianMs);
  }
  const figure = { name: "one policy of six rules in Rego, evaluated", unit: "ms", better: "less" as const };
  return compared({ ...figure, ours: median(ours), peers: { "opa bench": median(theirs) } });
}

interface Served {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly rssMiB: number;
}

async function benchDecisions(input: object, settings: PolicyBenchSettings): Promise<Lines> {
  const folder = await mkdtemp(join(tmpdir(), "bench-policy-"));
  try {
    const file = join(folder, "six.rego");
    await writeFile(file, sixRules);
    const policy = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name: "six" },
      spec: { engine: "rego", rego: { module: sixRules }, actions: { admission: "off", http: "serve" } },
    };
    await using stand = await WebhookStand.set([policy], {});
    const question = Buffer.from(JSON.stringify({ input }));
    const [ours, theirs]: [Served[], Served[]] = [[], []];
    for (let round = 0; round < settings.runs; round++) {
      {
        await using opa = await startOpa([file], path);
        theirs.push(await serve(opa.endpoint, opa.process, question, settings.turnSeconds));
      }
      await using webhook = await stand.start(["--decision-share=100"]);
      const endpoint = { ...webhook.endpoint, path, token: "bench" };
      ours.push(await serve(endpoint, webhook.process, question, settings.turnSeconds));
    }
    return servedLines("six rules in Rego", ours, theirs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function serve(
  endpoint: Endpoint,
  process: MeasuredProcess,
  question: Buffer,
  seconds: number,
  isExpected = (answer: string): boolean => answer.includes('"result":[]'),
): Promise<Served> {
  await using lanes = await ReviewLanes.open(endpoint, connections);
  await lanes.load([question], warmUpMs, isExpected);
  const before = process.usage();
  const load = await lanes.load([question], seconds * 1_000, isExpected);
  const after = process.usage();
  return {
    perSecond: load.requests / load.seconds,
    cpuMs: (after.cpuMs - before.cpuMs) / load.requests,
    rssMiB: after.rssBytes / 2 ** 20,
  };
}

function servedLines(what: string, ours: readonly Served[], theirs: readonly Served[]): Lines {
  const of = (served: readonly Served[], key: keyof Served) => median(served.map((one) => one[key]));
  const figures = [
    { key: "perSecond", name: `decisions over HTTPS, ${what}`, unit: "/s", better: "more" },
    { key: "cpuMs", name: `CPU of a decision over HTTPS, ${what}`, unit: "ms", better: "less" },
    { key: "rssMiB", name: `RSS after decisions, ${what}`, unit: "MiB", better: "less" },
  ] as const;
  return figures.flatMap(({ key, ...figure }) =>
    compared({ ...figure, ours: of(ours, key), peers: { "opa run --server": of(theirs, key) } }),
  );
}

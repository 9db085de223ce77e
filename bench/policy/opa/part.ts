/** Rego beside OPA itself: one evaluation against `opa bench`, decisions over HTTPS against its server. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chartEnvironment } from "../../admission/shipped.ts";
import { compared } from "../../lib/line.ts";
import { MeasuredProcess } from "../../lib/measured-process.ts";
import { median } from "../../lib/statistics.ts";
import { type Served, serve } from "../answers.ts";
import type { Lines } from "../figures.ts";
import { WebhookStand } from "../lone-webhook.ts";
import { reviewOf } from "../review.ts";
import { changedPod } from "../rules/pod-change.ts";
import type { PolicyBenchSettings } from "../settings.ts";
import { benchData } from "./data.ts";
import { opaBenchMs, startOpa } from "./opa-peer.ts";
import { servedLines } from "./served.ts";
import { sixRules, sixRulesPackage } from "./six-rules.ts";

const path = `/v1/data/${sixRulesPackage.replaceAll(".", "/")}/deny`;

export async function benchOpa(settings: PolicyBenchSettings): Promise<Lines> {
  const { request: review } = reviewOf(changedPod("typical", {}), "bench", "review");
  const input = { review };
  return [
    ...(await benchSixRules(input, settings)),
    ...(await benchDecisions(input, settings)),
    ...(await benchData(settings)),
  ];
}

const nothingWrong = (answer: string): boolean => answer.includes('"result":[]');

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
        theirs.push(await serve(opa.endpoint, opa.process, [question], settings.turnSeconds, nothingWrong));
      }
      await using webhook = await stand.start(["--decision-share=100"]);
      const endpoint = { ...webhook.endpoint, path, token: "bench" };
      ours.push(await serve(endpoint, webhook.process, [question], settings.turnSeconds, nothingWrong));
    }
    return servedLines("six rules in Rego", ours, theirs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

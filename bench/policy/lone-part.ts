/** The webhook by itself, without a cluster: how soon it is ready, and how many reviews a second it answers. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateCa, issueLeaf } from "@shieldx/pki";
import { freePort } from "../../e2e/shieldx/host.ts";
import { waitFor } from "../../e2e/shieldx/wait.ts";
import { buildFloor } from "../admission/peers/floor.ts";
import { eachInLane } from "../lib/load.ts";
import { MeasuredProcess } from "../lib/measured-process.ts";
import { median } from "../lib/statistics.ts";
import { connections, type Served, serve } from "./answers.ts";
import { type Figure, FigureLines, type Lines, languages } from "./figures.ts";
import { goalSize, readyMs, reviewsPerSecond, rssMiB } from "./goals.ts";
import { type Endpoint, WebhookStand } from "./lone-webhook.ts";
import { type ShieldLanguage, shieldPolicies } from "./render/shield-policies.ts";
import { reviewOf } from "./review.ts";
import { isAllowed, ReviewLanes } from "./review-lanes.ts";
import { changedPod } from "./rules/pod-change.ts";
import { judgedPods, type PolicyRule, rulesOf, spread } from "./rules/rules.ts";
import type { PolicyBenchSettings } from "./settings.ts";

const differentPods = 50;
/** All of them at the size of the goals. */
const mostRules = 200;
const namespace = "bench-lone";
const label = "lone";

const ready: Figure = { name: "webhook's start to ready", unit: "ms", better: "less" };
const answered: Figure = { name: `reviews answered, ${connections} connections`, unit: "/s", better: "more" };
const cpu: Figure = { name: "CPU of the webhook per review", unit: "ms", better: "less" };
const rss: Figure = { name: "RSS after reviews", unit: "MiB", better: "less" };

export async function benchStarts(settings: PolicyBenchSettings): Promise<Lines> {
  const lines = new FigureLines();
  await eachStand(settings, async (stand, size, language, rules) => {
    const took: number[] = [];
    for (let round = 0; round < settings.runs; round++) {
      await using webhook = await stand.start();
      await mustBeWhole(webhook.endpoint, rules);
      took.push(webhook.readyMs);
    }
    const goal = size <= goalSize ? readyMs : undefined;
    lines.add(ready, size, language, median(took), { goal });
  });
  return lines.lines;
}

export async function benchReviews(settings: PolicyBenchSettings): Promise<Lines> {
  await using floor = await startFloor();
  const lines = new FigureLines();
  await eachStand(settings, async (stand, size, language, rules) => {
    const reviews = reviewsOf(rules);
    const floors: Served[] = [];
    const ours: Served[] = [];
    for (let round = 0; round < settings.runs; round++) {
      floors.push(await serve(floor.endpoint, floor.process, reviews, settings.turnSeconds));
      await using webhook = await stand.start();
      await mustBeWhole(webhook.endpoint, rules);
      ours.push(await serve(webhook.endpoint, webhook.process, reviews, settings.turnSeconds));
    }
    const of = (measured: readonly Served[], key: keyof Served): number =>
      median(measured.map((one) => one[key]));
    const add = (figure: Figure, key: keyof Served, goal?: number): void => {
      const ofFloor = key === "rssMiB" ? undefined : of(floors, key);
      lines.add(figure, size, language, of(ours, key), { floor: ofFloor, goal });
    };
    add(answered, "perSecond", size <= goalSize ? reviewsPerSecond : undefined);
    add(cpu, "cpuMs");
    add(rss, "rssMiB", size <= goalSize ? rssMiB : undefined);
  });
  return lines.lines;
}

/** Runs `measure` at each size in each language, with a stand of its own. */
async function eachStand(
  settings: PolicyBenchSettings,
  measure: (
    stand: WebhookStand,
    size: number,
    language: ShieldLanguage,
    rules: readonly PolicyRule[],
  ) => Promise<void>,
): Promise<void> {
  for (const language of languages.filter((candidate) => candidate !== "native")) {
    for (const size of settings.sizes) {
      const rules = rulesOf(size);
      const policies = shieldPolicies(label, language, rules);
      await using stand = await WebhookStand.set(policies, { [namespace]: { bench: label } });
      await measure(stand, size, language, rules);
    }
  }
}

/** Reviews of Pods that are to be let in. */
function reviewsOf(rules: readonly PolicyRule[]): Buffer[] {
  return judgedPods(rules)
    .filter(({ breaks }) => breaks === undefined)
    .slice(0, differentPods)
    .map(({ pod }, at) => Buffer.from(JSON.stringify(reviewOf(pod, namespace, `review-${at}`))));
}

/** @throws Error naming a rule that a webhook which calls itself ready does not enforce */
async function mustBeWhole(endpoint: Endpoint, rules: readonly PolicyRule[]): Promise<void> {
  await using lanes = await ReviewLanes.open(endpoint, connections);
  await eachInLane(connections, spread(rules, mostRules), async (rule, lane) => {
    const pod = changedPod("probe", rule.breaking);
    const answer = await lanes.ask(lane, Buffer.from(JSON.stringify(reviewOf(pod, namespace, rule.name))));
    if (isAllowed(answer) || !answer.includes(rule.message)) {
      throw new Error(`ready, yet ${rule.name} is not enforced: ${answer.slice(0, 500)}`);
    }
  });
}

interface Floor extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly process: MeasuredProcess;
}

/** The webhook that says yes without looking. */
async function startFloor(): Promise<Floor> {
  const now = Date.now();
  const lifetimeMs = 86_400_000;
  const ca = await generateCa({ commonName: "floor", now, lifetimeMs });
  const leaf = await issueLeaf({ ca, dnsNames: [], ipAddresses: ["127.0.0.1"], now, lifetimeMs });
  const folder = await mkdtemp(join(tmpdir(), "bench-floor-"));
  const [certificate, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  await writeFile(certificate, leaf.certificatePem);
  await writeFile(key, leaf.privateKeyPem, { mode: 0o600 });
  const address = `127.0.0.1:${await freePort()}`;
  const child = new MeasuredProcess({ command: await buildFloor(), args: [address, certificate, key] });
  const endpoint = { origin: `https://${address}`, path: "/", caPem: ca.certificatePem };
  await waitFor("the floor listens", () => listens(endpoint));
  return {
    ...{ endpoint, process: child },
    async [Symbol.asyncDispose]() {
      await child.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listens(endpoint: Endpoint): Promise<boolean> {
  try {
    await using lanes = await ReviewLanes.open(endpoint, 1);
    return isAllowed(await lanes.ask(0, Buffer.from('{"request":{"uid":"floor"}}')));
  } catch {
    return false; // not listening yet
  }
}

/** Reviews of Pods whose images must be signed, answered by the shipped webhook, which asks a registry on this machine. */
import { TestRegistry } from "../../packages/policy-engine/testing/registry/registry.ts";
import { pushSimple, type SimpleSignature } from "../../packages/policy-engine/testing/registry/signing.ts";
import { type BenchLine, compared } from "../lib/line.ts";
import { eachInLane } from "../lib/load.ts";
import type { BenchSettings } from "../lib/settings.ts";
import { median, quantile } from "../lib/statistics.ts";
import { type LoneWebhook, WebhookStand } from "../policy/lone-webhook.ts";
import { reviewOf } from "../policy/review.ts";
import { isAllowed, ReviewLanes } from "../policy/review-lanes.ts";
import { changedPod } from "../policy/rules/pod-change.ts";
import { certificateSigner, keySigner, type Signer } from "./signers.ts";

export interface ImageBenchSettings extends BenchSettings {
  /** `IMAGES=1000`: how many different images are asked about. */
  readonly images: number;
}

const connections = 8;
const namespace = "shop";
const repository = "shop/web";

interface Measured {
  readonly perSecond: number;
  readonly p99Ms: number;
}

interface Round {
  /** Each image once, which nothing is known of. */
  readonly first: Measured;
  /** The same images again. */
  readonly kept: Measured;
  /** As many of another repository, that no rule is about: what a review takes by itself. */
  readonly unasked: Measured;
  readonly raw: Measured;
}

export async function benchImages(settings: ImageBenchSettings): Promise<BenchLine[]> {
  const lines: BenchLine[] = [];
  for (const signer of [keySigner(), await certificateSigner()]) {
    const rounds: Round[] = [];
    for (let round = 0; round < settings.runs; round++)
      rounds.push(await measure(signer, settings.images, round));
    lines.push(...linesOf(signer.kind, rounds));
  }
  return lines;
}

async function measure(signer: Signer, count: number, round: number): Promise<Round> {
  const registry = new TestRegistry();
  await registry.start();
  try {
    const signatures: SimpleSignature[] = [];
    const images: string[] = [];
    for (let at = 0; at < count; at++) {
      const digest = registry.pushImage(repository, `v${at}`, `round ${round}, image ${at}`);
      const signature = await signer.sign(digest);
      pushSimple(registry, repository, digest, [signature]);
      signatures.push(signature);
      images.push(`${registry.host}/${repository}@${digest}`);
    }
    await using stand = await WebhookStand.set([policyOf(registry, signer)], { [namespace]: {} });
    await using webhook = await stand.start();
    await mustVerify(webhook, registry);
    const first = await ask(webhook, images);
    const kept = await ask(webhook, images);
    const unasked = await ask(
      webhook,
      images.map((image) => image.replace(repository, "other/web")),
    );
    return { first, kept, unasked, raw: rawOf(signer, signatures) };
  } finally {
    registry.stop();
  }
}

function policyOf(registry: TestRegistry, { rule }: Signer): object {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "signed" },
    spec: {
      engine: "images",
      evaluation: "Auto",
      verifyImages: {
        rules: [{ name: "ours", images: [`${registry.host}/shop/**`], ...rule }],
        registries: [
          { host: registry.host, plainHTTP: false, certificateAuthorities: registry.certificatePem },
        ],
        otherImages: "Allow",
        pinDigest: true,
        timeoutSeconds: 10,
      },
      actions: { admission: "deny", background: "off" },
    },
  };
}

/** @throws Error when the webhook lets in what nobody signed: what it says then is not worth measuring */
async function mustVerify({ endpoint }: LoneWebhook, registry: TestRegistry): Promise<void> {
  const digest = registry.pushImage(repository, "unsigned", "nobody signed this");
  await using lanes = await ReviewLanes.open(endpoint, 1);
  const answer = await lanes.ask(0, reviewWith(`${registry.host}/${repository}@${digest}`, "unsigned"));
  if (isAllowed(answer)) throw new Error(`an image that nobody signed was let in: ${answer.slice(0, 500)}`);
}

function reviewWith(image: string, uid: string): Buffer {
  const pod = changedPod(uid, { spec: { initContainers: [] }, container: { image } });
  return Buffer.from(JSON.stringify(reviewOf(pod, namespace, uid)));
}

async function ask({ endpoint }: LoneWebhook, images: readonly string[]): Promise<Measured> {
  const reviews = images.map((image, at) => reviewWith(image, `review-${at}`));
  await using lanes = await ReviewLanes.open(endpoint, connections);
  const tookMs: number[] = [];
  const began = performance.now();
  await eachInLane(connections, reviews, async (review, lane) => {
    const since = performance.now();
    const answer = await lanes.ask(lane, review);
    tookMs.push(performance.now() - since);
    if (!isAllowed(answer)) throw new Error(`a signed image was refused: ${answer.slice(0, 500)}`);
  });
  const seconds = (performance.now() - began) / 1_000;
  return { perSecond: reviews.length / seconds, p99Ms: quantile(tookMs, 0.99) };
}

/** One after the other on this thread, and nothing else. */
function rawOf(signer: Signer, signatures: readonly SimpleSignature[]): Measured {
  const tookMs: number[] = [];
  const began = performance.now();
  for (const signature of signatures) {
    const since = performance.now();
    if (!signer.verifyRaw(signature)) throw new Error("a signature of the benchmark is not good");
    tookMs.push(performance.now() - since);
  }
  const seconds = (performance.now() - began) / 1_000;
  return { perSecond: signatures.length / seconds, p99Ms: quantile(tookMs, 0.99) };
}

function linesOf(kind: Signer["kind"], rounds: readonly Round[]): BenchLine[] {
  const of = (part: keyof Round, figure: keyof Measured): number =>
    median(rounds.map((round) => round[part][figure]));
  const lines = (part: "first" | "kept", what: string): BenchLine[] => {
    const peers = (figure: keyof Measured) => ({
      "no rule": of("unasked", figure),
      "crypto.verify": of("raw", figure),
    });
    const name = `images signed by a ${kind}, ${what}`;
    return [
      ...compared({
        name: `${name}, ${connections} connections`,
        unit: "/s",
        better: "more",
        ours: of(part, "perSecond"),
        peers: peers("perSecond"),
      }),
      ...compared({
        name: `${name}, p99`,
        unit: "ms",
        better: "less",
        ours: of(part, "p99Ms"),
        peers: peers("p99Ms"),
      }),
    ];
  };
  return [...lines("first", "first seen"), ...lines("kept", "kept by digest")];
}

/** Decisions by documents of hundreds of megabytes, which both servers have as one bundle. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { compared } from "../../lib/line.ts";
import { serve } from "../answers.ts";
import type { Lines } from "../figures.ts";
import { WebhookStand } from "../lone-webhook.ts";
import { ReviewLanes } from "../review-lanes.ts";
import type { PolicyBenchSettings } from "../settings.ts";
import { startBundleServer } from "./bundle-server.ts";
import { startOpa } from "./opa-peer.ts";
import { rbacModule, rbacPackage, writeRbacData } from "./rbac-data.ts";
import { servedLines } from "./served.ts";

const path = `/v1/data/${rbacPackage.replaceAll(".", "/")}/allow`;
const megabyte = 1_000_000;

/** One round: to read it takes OPA a minute. */
export async function benchData({ dataMegabytes, turnSeconds }: PolicyBenchSettings): Promise<Lines> {
  if (dataMegabytes === 0) return [];
  const folder = await mkdtemp(join(tmpdir(), "bench-data-"));
  try {
    const bundle = join(folder, "rbac.tar.gz");
    const { questions, bytes } = await writeBundle(folder, bundle, dataMegabytes * megabyte);
    const asked = questions.map((input) => Buffer.from(JSON.stringify({ input })));
    const what = `${Math.round(bytes / megabyte)} MB of documents`;
    await using server = await startBundleServer(bundle);
    const policy = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name: "rbac" },
      spec: {
        engine: "rego",
        rego: { bundle: { url: server.url, caSecretRef: { name: "bundle-ca", key: "ca.crt" } } },
        actions: { admission: "off", http: "serve" },
      },
    };
    await using stand = await WebhookStand.set([policy], {}, { "bundle-ca": { "ca.crt": server.caPem } });
    const isAnswer = (answer: string): boolean => /"result":(true|false)/.test(answer);
    const theirs = await (async () => {
      await using opa = await startOpa(["--bundle", bundle], path);
      const answers = await answersTo(opa.endpoint, asked);
      const startMs = opa.startMs;
      return {
        answers,
        startMs,
        served: await serve(opa.endpoint, opa.process, asked, turnSeconds, isAnswer),
      };
    })();
    const ours = await (async () => {
      const largest = `--largest-bundle=${Math.ceil((bytes * 1.1) / 2 ** 20)}`;
      await using webhook = await stand.start([largest, "--decision-share=100"]);
      const endpoint = { ...webhook.endpoint, path, token: "bench" };
      const began = performance.now();
      const answers = await answersTo(endpoint, asked, 600_000);
      const startMs = webhook.readyMs + performance.now() - began;
      return {
        answers,
        startMs,
        served: await serve(endpoint, webhook.process, asked, turnSeconds, isAnswer),
      };
    })();
    if (ours.answers.join() !== theirs.answers.join())
      throw new Error(`answers differ: ${ours.answers.join()} and ${theirs.answers.join()}`);
    const start = {
      name: `start until decisions are answered, ${what}`,
      unit: "ms",
      better: "less",
    } as const;
    return [
      ...servedLines(what, [ours.served], [theirs.served]),
      ...compared({ ...start, ours: ours.startMs, peers: { "opa run --server": theirs.startMs } }),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeBundle(folder: string, bundle: string, bytes: number) {
  const content = join(folder, "content");
  await mkdir(content);
  const questions = await writeRbacData(join(content, "data.json"), bytes);
  await writeFile(join(content, "rbac.rego"), rbacModule);
  await writeFile(
    join(content, ".manifest"),
    JSON.stringify({ roots: [rbacPackage.replaceAll(".", "/"), "rbac"] }),
  );
  const { size } = await stat(join(content, "data.json"));
  await promisify(execFile)("tar", ["-C", content, "-czf", bundle, ".manifest", "rbac.rego", "data.json"]);
  await rm(content, { recursive: true });
  return { questions, bytes: size };
}

/** `true` or `false` for each question; asks until there are answers, as long as there is time. */
async function answersTo(
  endpoint: Parameters<typeof ReviewLanes.open>[0],
  asked: readonly Buffer[],
  patienceMs = 0,
): Promise<string[]> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      await using lanes = await ReviewLanes.open(endpoint, 1);
      const answers: string[] = [];
      for (const question of asked) {
        const answer = /"result":(true|false)/.exec(await lanes.ask(0, question))?.[1];
        if (answer === undefined) throw new Error("there is no answer yet");
        answers.push(answer);
      }
      return answers;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

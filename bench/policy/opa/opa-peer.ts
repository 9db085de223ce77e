/** OPA itself, built from the pinned Go module: its own benchmark of one query, and its server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateCa, issueLeaf } from "@shieldx/pki";
import { buildGoBinary } from "../../../e2e/cluster/build/go-binary.ts";
import { freePort } from "../../../e2e/shieldx/host.ts";
import { waitFor } from "../../../e2e/shieldx/wait.ts";
import { MeasuredProcess } from "../../lib/measured-process.ts";
import type { Endpoint } from "../lone-webhook.ts";

const module = join(import.meta.dirname, "..", "..", "..", "packages", "policy-engine", "testing", "opa");
const lifetimeMs = 86_400_000;
/** Reading hundreds of megabytes takes OPA a minute. */
const longestStartMs = 600_000;

export function buildOpa(): Promise<string> {
  return buildGoBinary({ module, output: "opa", package: "github.com/open-policy-agent/opa" });
}

/** Median of one evaluation by `opa bench`, in milliseconds. @throws Error with what it says */
export async function opaBenchMs(query: string, module: string, input: object): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "bench-opa-"));
  try {
    const [rego, json] = [join(folder, "policy.rego"), join(folder, "input.json")];
    await writeFile(rego, module);
    await writeFile(json, JSON.stringify(input));
    const said = await outputOf(await buildOpa(), [
      ...["bench", query, "--data", rego, "--input", json],
      ...["--format", "json", "--fail"],
    ]);
    const { Extra } = JSON.parse(said) as { Extra: Readonly<Record<string, number>> };
    const median = Extra.histogram_timer_rego_query_eval_ns_median;
    if (median === undefined) throw new Error(`opa bench says no median: ${said.slice(0, 500)}`);
    return median / 1e6;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}`);
  return Buffer.concat(chunks).toString("utf8");
}

export interface OpaServer extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly process: MeasuredProcess;
  /** From the start of the process until it said it was healthy, in milliseconds. */
  readonly startMs: number;
}

/**
 * `opa run --server` over TLS 1.3 on loopback; nobody who asks is asked who he is.
 * @param files modules and documents, as on its command line
 * @param path of the document that is asked for
 */
export async function startOpa(files: readonly string[], path: string): Promise<OpaServer> {
  const now = Date.now();
  const ca = await generateCa({ commonName: "bench", now, lifetimeMs });
  const leaf = await issueLeaf({ ca, dnsNames: [], ipAddresses: ["127.0.0.1"], now, lifetimeMs });
  const folder = await mkdtemp(join(tmpdir(), "bench-opa-"));
  const [certificate, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  await writeFile(certificate, leaf.certificatePem);
  await writeFile(key, leaf.privateKeyPem, { mode: 0o600 });
  const [port, health] = [await freePort(), await freePort()];
  const child = new MeasuredProcess({
    command: await buildOpa(),
    args: [
      ...[
        "run",
        "--server",
        "--addr",
        `https://127.0.0.1:${port}`,
        "--diagnostic-addr",
        `http://127.0.0.1:${health}`,
      ],
      ...["--tls-cert-file", certificate, "--tls-private-key-file", key, "--min-tls-version", "1.3"],
      ...["--log-level", "error", "--disable-telemetry"],
      ...files,
    ],
  });
  const stop = async (): Promise<void> => {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const answers = () =>
      fetch(`http://127.0.0.1:${health}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    await waitFor("OPA's server", answers, { timeoutMs: longestStartMs, everyMs: 50 });
  } catch (error) {
    await stop();
    throw error;
  }
  const endpoint = { origin: `https://127.0.0.1:${port}`, path, caPem: ca.certificatePem };
  const tookMs = Number(process.hrtime.bigint()) / 1e6 - child.startedAt;
  return { process: child, endpoint, startMs: tookMs, [Symbol.asyncDispose]: stop };
}

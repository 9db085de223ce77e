// What tests of decisions share: policies compiled by OPA's compiler, our server on loopback TLS, and OPA's own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "@shieldx/e2e/cluster";
import { buildGoBinaryOrSkip, regoCompiler } from "@shieldx/e2e/cluster/build";
import { TimeShare } from "@shieldx/policy-engine";
import {
  createRegoCompiler,
  type DecisionSource,
  Documents,
  servePolicy,
  withoutClashes,
} from "@shieldx/policy-engine/decisions";
import { Registry } from "prom-client";
import type { DecisionLog } from "../decision-log/log.ts";
import { BodyBudget, type BodyLimits, defaultBodyLimits } from "../server/body.ts";
import { startTestServer, type TestServer } from "../server/server.test-kit.ts";
import { type DecisionApiParts, decisionApi } from "./api.ts";
import { DecisionMetrics } from "./metrics.ts";

export const builtCompiler = () => buildGoBinaryOrSkip(regoCompiler, "tests of decisions");

/** Each module a policy of its own, named like its file. */
export async function documentsOf(
  wasmFile: string,
  modules: Readonly<Record<string, string>>,
): Promise<Documents> {
  const compiler = createRegoCompiler({ wasmFile });
  const outcomes = await Promise.all(
    Object.entries(modules).map(([name, source]) =>
      servePolicy(compiler, { name, modules: { [`${name}.rego`]: source } }),
    ),
  );
  const policies = outcomes.map((outcome) => {
    if (!outcome.ok) throw new Error(outcome.problem.message);
    return outcome.policy;
  });
  const { served, problems } = withoutClashes(policies);
  if (problems[0] !== undefined) throw new Error(problems[0].message);
  return new Documents(served);
}

export interface DecisionServer extends TestServer {
  readonly decisions: Registry;
}

/** Everybody may ask, unless `more` says otherwise. */
export async function startDecisionServer(
  documents: DecisionSource | undefined,
  more: Partial<DecisionApiParts> = {},
  bodies: Partial<BodyLimits> = {},
  log?: DecisionLog,
): Promise<DecisionServer> {
  const decisions = new Registry();
  const http = decisionApi({
    source: () => documents,
    problem: () => undefined,
    access: { admit: async () => ({ username: "alice" }) },
    budget: new BodyBudget({ ...defaultBodyLimits, ...bodies }),
    version: "1.22.4",
    metrics: new DecisionMetrics(decisions),
    log,
    share: new TimeShare(1, 60_000, 0),
    newId: () => "id",
    now: () => Date.UTC(2026, 0, 1),
    monotonicNow: () => performance.now(),
    ...more,
  });
  return { ...(await startTestServer({ more: { http } })), decisions };
}

export interface Opa extends AsyncDisposable {
  readonly url: string;
}

export async function startOpa(
  binary: string,
  modules: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Opa> {
  const folder = await mkdtemp(join(tmpdir(), "opa-"));
  const files = Object.entries(modules).map(async ([name, source]) => {
    const file = join(folder, `${name}.rego`);
    await writeFile(file, source);
    return file;
  });
  const port = await freePort();
  const child = spawn(
    binary,
    [
      "run",
      "--server",
      "--skip-version-check",
      "--log-level=error",
      `--addr=127.0.0.1:${port}`,
      ...args,
      ...(await Promise.all(files)),
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  const isUp = () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitFor("OPA answers", isUp, { timeoutMs: 20_000, intervalMs: 50 });
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await once(server.close(), "close");
  return port;
}

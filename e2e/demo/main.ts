// The main job on real input. Everything here is real: the control plane, the
// manifests (read from the projects' published modules), ShieldX under its own
// ServiceAccounts with the chart's roles. Only nodes are missing, so Pods stay
// Pending; admission and audit do not need them.
import { execFile } from "node:child_process";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, publishedManifest, startCluster } from "../cluster/index.ts";
import { startShieldxOnHost } from "../shieldx/host.ts";
import { waitFor } from "../shieldx/wait.ts";
import { type Narrator, narrator } from "./narrator.ts";
import {
  badPod,
  baselineDeny,
  baselineWarn,
  fewReplicas,
  goodPod,
  restrictedAudit,
  speakerException,
} from "./policies.ts";

const shieldctlBin = new URL("../../cli/src/bin.ts", import.meta.url).pathname;
const projects = [
  { name: "argo-cd", title: "Argo CD 3.1.1", namespace: "argocd" },
  { name: "cloudnative-pg", title: "CloudNativePG 1.27.0", namespace: "cnpg-system" },
  { name: "metallb", title: "MetalLB 0.16.2", namespace: "metallb-system" },
] as const;

interface Stage {
  readonly cluster: Cluster;
  readonly tell: Narrator;
}

/** Runs kubectl, shows the command and its answer, and insists on the outcome the story needs. */
async function kubectl(
  { cluster, tell }: Stage,
  args: string[],
  options: { input?: string; shown?: string; fails?: boolean; quiet?: boolean } = {},
) {
  tell.command(options.shown ?? `kubectl ${args.join(" ")}`);
  const result = await cluster.kubectl(args, options.input === undefined ? {} : { input: options.input });
  if (options.quiet !== true) tell.output(result.stdout + result.stderr);
  const failed = result.code !== 0;
  if (failed !== (options.fails ?? false))
    throw new Error(
      `expected this command to ${options.fails === true ? "be refused" : "succeed"}: ${result.stderr}`,
    );
  return result;
}

async function shieldctl({ cluster, tell }: Stage, args: string[], exitCode: number): Promise<void> {
  tell.command(`shieldctl ${args.join(" ")}`);
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  const code = await new Promise<number>((resolve) => {
    execFile(
      process.execPath,
      [shieldctlBin, ...args],
      { cwd: cluster.dir, env, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        tell.output(stdout + stderr);
        resolve(typeof error?.code === "number" ? error.code : 0);
      },
    );
  });
  if (code !== exitCode)
    throw new Error(`shieldctl ${args.join(" ")} ended with ${code}, expected ${exitCode}`);
}

async function applyProjects(stage: Stage): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const { name, title, namespace } of projects) {
    const published = await publishedManifest(name);
    const file = `${name}.yaml`;
    await copyFile(published, join(stage.cluster.dir, file));
    files[name] = file;
    await stage.cluster.kubectl(["create", "namespace", namespace]);
    const result = await kubectl(stage, ["apply", "--server-side", "-n", namespace, "-f", published], {
      shown: `kubectl apply --server-side -n ${namespace} -f ${file}   # ${published.split("/mod/").at(-1)}`,
      quiet: true,
    });
    stage.tell.say(`${title}: ${result.stdout.trim().split("\n").length} objects applied as published`);
  }
  return files;
}

async function offendersCounted(stage: Stage): Promise<void> {
  await waitFor("the audit of existing objects", async () => {
    const result = await stage.cluster.kubectl([
      "get",
      "shieldpolicies",
      "-o",
      "jsonpath={.items[*].status.counts.lastScanTime}",
    ]);
    return (
      result.stdout
        .trim()
        .split(/\s+/)
        .filter((t) => t !== "").length >= 2
    );
  });
  await waitFor("counts at rest", async () => {
    const counts = ["get", "shieldpolicies", "-o", "jsonpath={.items[*].status.counts.violating}"];
    const before = (await stage.cluster.kubectl(counts)).stdout;
    await new Promise((resolve) => setTimeout(resolve, 700));
    return before.trim() !== "" && before === (await stage.cluster.kubectl(counts)).stdout;
  });
}

async function existingOffenders(stage: Stage, files: Record<string, string>): Promise<void> {
  stage.tell.scene("Two policies that only look: baseline warns, restricted notes");
  await writeFile(join(stage.cluster.dir, "policies.yaml"), `${baselineWarn}---\n${restrictedAudit}`);
  await kubectl(stage, ["apply", "-f", join(stage.cluster.dir, "policies.yaml")], {
    shown: "kubectl apply -f policies.yaml",
  });
  await offendersCounted(stage);
  await kubectl(stage, ["get", "shieldpolicies"]);
  stage.tell.say("Who breaks restricted, worst first:");
  await kubectl(
    stage,
    [
      "get",
      "shieldpolicy",
      "restricted",
      "-o",
      'jsonpath={range .status.worstOffenders[*]}{.kind}{" "}{.namespace}{"/"}{.name}{": "}{.violations}{" violations"}{"\\n"}{end}',
    ],
    { shown: "kubectl get shieldpolicy restricted -o jsonpath={.status.worstOffenders}" },
  );
  stage.tell.say("One Report (openreports.io) per offending object says why:");
  const columns =
    "OBJECT:.scope.kind,NAME:.scope.name,NAMESPACE:.scope.namespace,FAILED:.summary.fail,CHECKS:.results[*].rule";
  await kubectl(stage, ["get", "reports.openreports.io", "-A", "-o", `custom-columns=${columns}`]);
  stage.tell.scene("The same answer before anything reaches the cluster");
  for (const { name, title } of projects) {
    stage.tell.say(`${title}:`);
    await shieldctl(
      stage,
      ["policy", "check", "-f", files[name] ?? "", "--policies", "policies.yaml", "--fail-on", "warn"],
      name === "metallb" ? 1 : 0,
    );
  }
}

async function enforcement(stage: Stage): Promise<void> {
  stage.tell.scene("A policy changes from warn to deny");
  await kubectl(stage, ["create", "--dry-run=server", "-f", "-"], {
    input: badPod,
    shown: "kubectl create --dry-run=server -f bad-pod.yaml",
  });
  const began = performance.now();
  await kubectl(stage, ["apply", "-f", "-"], {
    input: baselineDeny,
    shown: "kubectl apply -f baseline.yaml   # admission: deny",
  });
  const applied = performance.now();
  await waitFor(
    "the change in force",
    async () => {
      const tried = await stage.cluster.kubectl(["create", "--dry-run=server", "-f", "-"], { input: badPod });
      return tried.code !== 0 && tried.stderr.includes("ShieldPolicy");
    },
    { everyMs: 5 },
  );
  stage.tell.say(
    `in force ${Math.round(performance.now() - applied)} ms after kubectl returned (${Math.round(performance.now() - began)} ms after it began), a kubectl call of about 100 ms included`,
  );
  stage.tell.scene("A bad Pod is refused with the reason, a good one is admitted");
  await kubectl(stage, ["create", "-f", "-"], {
    input: badPod,
    shown: "kubectl create -f bad-pod.yaml",
    fails: true,
  });
  await kubectl(stage, ["create", "-f", "-"], { input: goodPod, shown: "kubectl create -f good-pod.yaml" });
}

async function exception(stage: Stage): Promise<void> {
  stage.tell.scene("An exception with an owner, a reason and an end");
  const upgradeTo = (version: string) => [
    "set",
    "image",
    "daemonset/speaker",
    `speaker=quay.io/metallb/speaker:${version}`,
    "-n",
    "metallb-system",
  ];
  const upgrade = upgradeTo("v0.16.3");
  stage.tell.say(
    "MetalLB's speaker needs the host's network, so its next version is refused now (what runs is left alone):",
  );
  await kubectl(stage, upgrade, { fails: true });
  const expiresAt = new Date(Date.now() + 8000);
  await kubectl(stage, ["apply", "-f", "-"], {
    input: speakerException(expiresAt),
    shown: "kubectl apply -f exception.yaml   # expires in 8 s",
  });
  await waitFor(
    "the exception honoured",
    async () => (await stage.cluster.kubectl([...upgrade, "--dry-run=server"])).code === 0,
  );
  await kubectl(stage, upgrade);
  await kubectl(stage, ["get", "shieldexceptions", "-A"]);
  await waitFor("its end", async () => Date.now() > expiresAt.getTime() + 300);
  stage.tell.say("After it expired:");
  const later = upgradeTo("v0.16.4");
  await waitFor(
    "refused again",
    async () => (await stage.cluster.kubectl([...later, "--dry-run=server"])).code !== 0,
  );
  await kubectl(stage, later, { fails: true });
}

async function native(stage: Stage): Promise<void> {
  stage.tell.scene("A rule in CEL, enforced by the API server itself");
  await kubectl(stage, ["apply", "-f", "-"], {
    input: fewReplicas,
    shown: "kubectl apply -f few-replicas.yaml",
  });
  const create = ["create", "deployment", "many", "--image=docker.io/local/busybox:test", "--replicas=9"];
  await waitFor("in force", async () =>
    (await stage.cluster.kubectl([...create, "--dry-run=server"])).stderr.includes("few-replicas"),
  );
  await kubectl(stage, create, { fails: true });
  stage.tell.say("Somebody deletes what enforces it:");
  await kubectl(stage, ["delete", "validatingadmissionpolicybinding", "shieldx-few-replicas"]);
  const began = performance.now();
  await waitFor(
    "restored",
    async () =>
      (await stage.cluster.kubectl(["get", "validatingadmissionpolicybinding", "shieldx-few-replicas"]))
        .code === 0,
    { everyMs: 5 },
  );
  stage.tell.say(`restored within ${Math.round(performance.now() - began)} ms`);
}

async function main(): Promise<number> {
  const tell = narrator(
    (text) => process.stdout.write(text),
    process.stdout.isTTY === true && !process.env.NO_COLOR,
  );
  const began = performance.now();
  tell.scene("A real Kubernetes control plane");
  await using cluster = await startCluster({ name: `demo-${process.pid}` });
  const stage = { cluster, tell };
  tell.say(
    `ready after ${((performance.now() - began) / 1000).toFixed(1)} s (building it, once per machine, not counted by later runs)`,
  );
  await kubectl(stage, ["version"]);
  tell.scene("ShieldX from its chart: kinds, roles, webhook; its processes under their own ServiceAccounts");
  await using _shieldx = await startShieldxOnHost(cluster);
  await kubectl(stage, ["get", "crds"]);
  tell.scene("What people run: three projects, as published");
  const files = await applyProjects(stage);
  await existingOffenders(stage, files);
  await enforcement(stage);
  await exception(stage);
  await native(stage);
  tell.scene("How it all is");
  // What was restored a moment ago is told as coming into force for some seconds.
  await kubectl(stage, ["wait", "shieldpolicies", "--all", "--for=condition=Ready", "--timeout=60s"]);
  await kubectl(stage, ["get", "shieldpolicies"]);
  await shieldctl(stage, ["status"], 0);
  tell.say(
    `\nDone in ${Math.round((performance.now() - began) / 1000)} s. Everything started here is stopped and removed now.`,
  );
  return 0;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`\nThe demo stopped: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
});

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./command.ts";
import { openForeignCluster } from "./providers/foreign.ts";
import { kindKubeconfig, whyNoKind } from "./providers/kind.ts";
import { readState } from "./state.ts";

const main = join(import.meta.dirname, "main.ts");

describe("the command line", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "shieldx-cli-"));
  });
  afterAll(async () => {
    await run(["down", "--all"]);
    await rm(root, { recursive: true });
  });

  const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    runCommand(process.execPath, [main, ...args], { env: { ...process.env, SHIELDX_STATE: root, ...env } });

  it("starts a cluster that outlives it, finds it again, and ends it without a trace", async () => {
    const up = await run(["up"], { AUDIT: "1" });
    expect(up.code).toBe(0);
    const kubeconfig = join(root, "default", "kubeconfig");
    expect(up.stdout).toBe(`export KUBECONFIG=${kubeconfig}\n`);
    const kubectl = join(root, "default", "bin", "kubectl");
    const ready = await runCommand(kubectl, [`--kubeconfig=${kubeconfig}`, "get", "--raw", "/readyz"]);
    expect(ready.stdout).toBe("ok");

    const again = await run(["up"]);
    expect(again.stderr).toContain("runs already");
    expect(again.stdout).toBe(up.stdout);
    expect((await run(["status"])).stdout).toMatch(/^default: Kubernetes 1\.37, nodes: 0\tready\thttps:/);
    expect((await run(["kubeconfig"])).stdout).toBe(`${kubeconfig}\n`);

    const existing = await run(["up"], { CLUSTER: "existing", KUBECONFIG: kubeconfig });
    expect(existing.stderr).toContain("using shieldx-default; nothing was started");
    await using foreign = await openForeignCluster({ name: "existing", kubeconfig, stop: async () => {} });
    const account = await foreign.serviceAccountKubeconfig("default", "default");
    const user = await foreign.kubectl(["auth", "whoami", "-o", "json", `--kubeconfig=${account}`]);
    expect(user.stdout).toContain("system:serviceaccount:default:default");

    const state = await readState(join(root, "default"));
    expect(state).toMatchObject({ detached: true, isReady: true });
    const down = await run(["down"]);
    expect(down).toMatchObject({ code: 0, stderr: expect.stringContaining("ended default") });
    expect(await readdir(root)).toEqual([]);
    expect((await run(["down"])).stderr).toContain("nothing was running");
    const none = await run(["kubeconfig"]);
    expect(none).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("`make cluster-up` starts one"),
    });
  });

  it("says why an existing cluster cannot be used", async () => {
    const answer = await run(["up"], { CLUSTER: "existing", KUBECONFIG: "/nonexistent" });
    expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining("the cluster does not answer") });
  });

  it("uses kind where Docker is and says loudly where it is not", async () => {
    const reason = await whyNoKind();
    const up = await run(["up", "--name", "try"], { CLUSTER: "kind" });
    expect(up.code).toBe(0);
    if (reason === undefined) {
      expect(up.stdout).toBe(`export KUBECONFIG=${kindKubeconfig("try")}\n`);
      expect((await run(["down", "--name", "try"], { CLUSTER: "kind" })).code).toBe(0);
    } else {
      expect(up.stderr).toContain(`SKIPPED: CLUSTER=kind: ${reason}`);
      expect(up.stdout).toBe("");
    }
  });
});

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./command.ts";
import { main } from "./command-line.ts";
import { checkOptions, optionsFromEnvironment, parseGates } from "./options.ts";
import { identityOf, isAlive, startTicksOf } from "./process-identity.ts";
import { addressesOf } from "./service-endpoints.ts";
import { listStates, newState, readState, stateRoot, writeState } from "./state.ts";
import { removeLeftovers, stopCluster } from "./stop.ts";
import { kill, mountsUnder } from "./teardown.ts";
import { waitFor } from "./wait.ts";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "shieldx-cluster-test-"));
});
afterAll(async () => {
  await rm(scratch, { recursive: true });
});

/** A process of this test's own that waits to be killed. */
async function sleeper() {
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const identity = await identityOf(child.pid!);
  if (identity === undefined) throw new Error("sleep did not start");
  return { child, identity, ended };
}

describe("options", () => {
  it("come from the environment", () => {
    const env = {
      NODES: "2",
      APISERVERS: "2",
      K8S: "1.34",
      GATES: "A=true,B=false,C",
      CLUSTER: "kind",
      AUDIT: "1",
    };
    expect(optionsFromEnvironment(env)).toEqual({
      provider: "kind",
      nodes: 2,
      apiServers: 2,
      kubernetes: "1.34",
      featureGates: { A: true, B: false, C: true },
      audit: true,
    });
    expect(optionsFromEnvironment({ NODES: "" })).toMatchObject({
      provider: "local",
      nodes: 0,
      apiServers: 1,
    });
  });

  it.each([
    [{ NODES: "4" }, "NODES=4: it can be 0, 1, 2, 3"],
    [{ K8S: "1.30" }, "K8S=1.30: it can be 1.37, 1.34"],
    [{ CLUSTER: "minikube" }, "CLUSTER=minikube: it can be local, kind, existing"],
    [{ GATES: "A=maybe" }, '"A=maybe" is not NAME=true or NAME=false'],
  ])("out of range name the variable and its values: %o", (env, message) => {
    expect(() => optionsFromEnvironment(env)).toThrow(message);
  });

  it("refuse a name that is no folder name", () => {
    for (const name of ["", "../x", "A", "-a", "a-", "a".repeat(41)]) {
      expect(() => checkOptions({ name })).toThrow(/cluster name/);
    }
    for (const name of ["a", "test-1", "a".repeat(40)]) expect(() => checkOptions({ name })).not.toThrow();
  });

  it("accept no list of gates", () => {
    expect(parseGates(" , ")).toEqual({});
  });
});

describe("the identity of a process", () => {
  it("is found behind a command name with spaces and parentheses", () => {
    const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
    expect(startTicksOf(`42 (a) (b c) ${["S", ...fields.slice(1)].join(" ")}`)).toBe("22");
    expect(startTicksOf(`42 (gone) ${["Z", ...fields.slice(1)].join(" ")}`)).toBeUndefined();
  });

  it("is gone with the process, and never that of a later one", async () => {
    const { child, identity, ended } = await sleeper();
    expect(await isAlive(identity)).toBe(true);
    expect(await isAlive({ ...identity, startedAt: "another boot/1" })).toBe(false);
    child.kill("SIGKILL");
    await ended;
    expect(await isAlive(identity)).toBe(false);
  });
});

describe("tear-down", () => {
  it("kills the recorded process and spares another one under its pid", async () => {
    const { child, identity, ended } = await sleeper();
    await kill("sleep", { ...identity, startedAt: "another boot/1" });
    expect(await isAlive(identity)).toBe(true);
    await kill("sleep", identity);
    await ended;
    expect(child.signalCode).toBe("SIGKILL");
  });

  it("finds mounts under the folder of a cluster, and no others", () => {
    const line = (point: string) => `36 35 98:0 / ${point} rw,noatime master:1 - ext4 /dev/root rw`;
    const table = [line("/"), line("/tmp/c1"), line("/tmp/c1/a\\040b"), line("/tmp/c10"), ""].join("\n");
    expect(mountsUnder("/tmp/c1", table)).toEqual(["/tmp/c1", "/tmp/c1/a b"]);
  });
});

describe("what crashed clusters left", () => {
  const former = process.env.SHIELDX_STATE;
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(scratch, "state-"));
    process.env.SHIELDX_STATE = root;
  });
  afterAll(() => {
    if (former === undefined) delete process.env.SHIELDX_STATE;
    else process.env.SHIELDX_STATE = former;
  });

  it("is removed with its processes, while a running cluster is left alone", async () => {
    const { mkdir } = await import("node:fs/promises");
    const self = (await identityOf(process.pid))!;
    const dead = { pid: process.pid, startedAt: "another boot/1" };
    const orphan = await sleeper();
    const fields = { kubernetes: "1.37" as const, nodes: 0 };
    for (const name of ["crashed", "running"]) await mkdir(join(root, name, "logs"), { recursive: true });
    await writeState(join(root, "crashed"), {
      ...newState({ ...fields, name: "crashed", id: "aaaaaa", owner: dead }),
      watchdog: dead,
      processes: { etcd: orphan.identity, "kube-apiserver-1": { ...self, startedAt: "reused pid" } },
    });
    await writeState(
      join(root, "running"),
      newState({ ...fields, name: "running", id: "bbbbbb", owner: self }),
    );
    await mkdir(join(root, "not-a-cluster"));

    expect(await removeLeftovers()).toEqual(["crashed"]);
    await orphan.ended;
    expect((await listStates(root)).map(({ state }) => state.name)).toEqual(["running"]);
    expect(await readState(join(root, "not-a-cluster"))).toBeUndefined();
  });

  it("under a name nobody knows is an error that says where was looked", async () => {
    await expect(stopCluster("nobody")).rejects.toMatchObject({
      code: "CLUSTER_NOT_FOUND",
      message: `no cluster named nobody in ${stateRoot()}`,
    });
  });

  it("is not a state file that was cut off", async () => {
    await writeFile(join(root, "running", "state.json"), '{"version": 1, "na');
    expect(await readState(join(root, "running"))).toBeUndefined();
  });
});

describe("the kubernetes EndpointSlices", () => {
  it("list an address per ready endpoint and port", () => {
    expect(
      addressesOf({
        items: [
          { endpoints: [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"] }], ports: [{ port: 6443 }] },
          { endpoints: [{ addresses: ["10.0.0.3"], conditions: { ready: false } }], ports: [{ port: 6443 }] },
          {},
        ],
      }),
    ).toEqual(["10.0.0.1:6443", "10.0.0.2:6443"]);
  });
});

describe("waiting", () => {
  it("ends with what the probe found, however often it failed before", async () => {
    const answers = [undefined, new Error("not yet"), false, "there"] as const;
    let call = 0;
    const probe = () => {
      const answer = answers[call++];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
    expect(await waitFor("an answer", probe, { timeoutMs: 10_000, intervalMs: 1 })).toBe("there");
  });

  it("says what did not happen and what was seen last", async () => {
    const probe = () => Promise.reject(new Error("connection refused"));
    await expect(waitFor("the dawn", probe, { timeoutMs: 5, intervalMs: 1 })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "the dawn did not happen within 0.005 s: connection refused",
    });
  });

  it("gives up when there is nothing to wait for", async () => {
    const giveUp = () => Promise.reject(new Error("it died"));
    const waiting = waitFor("it", () => Promise.resolve(undefined), { timeoutMs: 10_000, giveUp });
    await expect(waiting).rejects.toThrow("it died");
  });
});

describe("a command", () => {
  it("is given input, and its status is a result", async () => {
    expect(await runCommand("sh", ["-c", "cat; echo no >&2; exit 3"], { input: "yes" })).toEqual({
      stdout: "yes",
      stderr: "no\n",
      code: 3,
    });
  });

  it("that does not exist has status 127, one that is killed says so", async () => {
    expect((await runCommand("/no/such/program", [])).code).toBe(127);
    expect((await runCommand("sleep", ["600"], { timeoutMs: 20 })).stderr).toContain("ended by SIGKILL");
  });
});

describe("the command line", () => {
  it("ends with 2 where it is wrong", async () => {
    expect(await main(["bogus"])).toBe(2);
    expect(await main(["up", "--no-such-option"])).toBe(2);
    expect(await main(["--help"])).toBe(0);
  });
});

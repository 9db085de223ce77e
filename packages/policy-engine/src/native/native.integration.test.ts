import type { ShieldException, ShieldPolicy } from "@shieldx/crds";
import { startCluster } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { celPolicy, shieldException } from "../../testing/objects.ts";
import { renderAdmissionPolicy } from "./render.ts";

type Cluster = Awaited<ReturnType<typeof startCluster>>;

const configMap = (namespace: string, name: string, metadata: object = {}) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name, ...metadata } });

describe("a rendered policy on a real API server", () => {
  let cluster: Cluster;
  const kubectl = async (args: string[], input?: string) =>
    await cluster.kubectl(args, input === undefined ? {} : { input });
  const dryRun = (manifest: string) => kubectl(["create", "--dry-run=server", "-f", "-"], manifest);
  const succeed = async (args: string[], input?: string) => {
    const result = await kubectl(args, input);
    expect(result.code, `${args.join(" ")}: ${result.stderr}`).toBe(0);
    return result;
  };
  const install = async (policy: ShieldPolicy, exceptions: ShieldException[] = [], now = Date.now()) => {
    // Nothing of ours is installed here: an owner that does not exist would have its objects collected.
    const { uid: _, ...metadata } = policy.metadata;
    const rendered = renderAdmissionPolicy({ ...policy, metadata }, exceptions, now);
    const input = JSON.stringify({
      apiVersion: "v1",
      kind: "List",
      items: [rendered.policy, rendered.binding],
    });
    await succeed(["apply", "--server-side", "--field-manager=shieldx-policy", "-f", "-"], input);
  };
  const uninstall = async (name: string) => {
    const kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings";
    await succeed(["delete", kinds, `shieldx-${name}`]);
    await eventually(async () => {
      expect((await dryRun(configMap("team-b", "unowned"))).stderr).toBe("");
    });
  };
  const eventually = (check: () => Promise<void>) =>
    expect.poll(() => check().then(() => true), poll).toBe(true);
  const poll = { timeout: 15_000, interval: 200 };

  beforeAll(async () => {
    cluster = await startCluster({ name: "policy-native" });
    for (const namespace of ["team-a", "team-b", "doomed"]) await succeed(["create", "namespace", namespace]);
    await succeed(
      ["create", "-f", "-"],
      configMap("team-a", "offender", {
        finalizers: ["example.com/hold", "example.com/other"],
        labels: { app: "web" },
        annotations: { held: "yes", note: "kept" },
      }),
    );
    const labels = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [at.toString(36), ""]));
    await succeed(
      ["create", "-f", "-"],
      configMap("team-a", "large", { finalizers: ["example.com/hold"], labels }),
    );
  });
  afterAll(async () => await cluster?.stop());

  it("is accepted, type-checked without a warning, and refuses with a message that names the ShieldPolicy", async () => {
    const policy = celPolicy("owners", {});
    await install(policy, [exceptionFor("owners", "team-a", Date.now() + 3_600_000)]);
    await eventually(async () => {
      const { code, stderr } = await dryRun(configMap("team-b", "unowned"));
      expect(code).not.toBe(0);
      expect(stderr).toContain('ShieldPolicy "owners": label it with an owner');
    });
    await eventually(async () => {
      const { stdout } = await succeed(["get", "validatingadmissionpolicy", "shieldx-owners", "-o", "json"]);
      const { status } = JSON.parse(stdout) as {
        status?: { observedGeneration?: number; typeChecking?: object };
      };
      expect(status?.observedGeneration).toBe(1);
      expect(status?.typeChecking ?? {}).toEqual({});
    });
    await succeed(
      ["create", "--dry-run=server", "-f", "-"],
      configMap("team-b", "owned", { labels: { owner: "me" } }),
    );
  });

  it("leaves kube-system alone", async () => {
    await succeed(["create", "--dry-run=server", "-f", "-"], configMap("kube-system", "unowned"));
  });

  it("lets an object that is being deleted go, and judges what else is changed in it", async () => {
    const offender = ["configmap", "offender", "-n", "team-a"];
    const patch = (change: object) =>
      kubectl(["patch", ...offender, "--type=merge", "-p", JSON.stringify(change)]);
    await succeed(["delete", ...offender, "--wait=false"]);
    for (const change of [
      { data: { still: "in effect" } },
      { metadata: { labels: { "configures-others": "yes" } } },
      { metadata: { annotations: { held: "no" } } },
      { metadata: { annotations: { more: "yes" }, finalizers: ["example.com/hold"] } },
    ])
      expect((await patch(change)).stderr, JSON.stringify(change)).toContain('ShieldPolicy "owners"');
    const unheld = await patch({
      metadata: { annotations: { held: null }, finalizers: ["example.com/hold"] },
    });
    expect(unheld).toMatchObject({ code: 0, stdout: expect.stringContaining("patched") });
    await succeed(["get", ...offender]);
    expect(await patch({ metadata: { labels: null, finalizers: null } })).toMatchObject({ code: 0 });
    expect((await kubectl(["get", ...offender])).stderr).toContain("NotFound");
  });

  it("lets go what carries as many labels as can be stored, whatever looking through them would cost", async () => {
    const large = ["configmap", "large", "-n", "team-a"];
    const patch = (operations: object[]) =>
      kubectl(["patch", ...large, "--type=json", "-p", JSON.stringify(operations)]);
    await succeed(["delete", ...large, "--wait=false"]);
    const label = await patch([{ op: "add", path: "/metadata/labels/more", value: "" }]);
    expect(label.stderr).toContain('ShieldPolicy "owners": label it with an owner');
    const finalizers = await patch([{ op: "remove", path: "/metadata/finalizers" }]);
    expect(finalizers).toMatchObject({ code: 0 });
    expect((await kubectl(["get", ...large])).stderr).toContain("NotFound");
  });

  it("honours exceptions by name, kind, label and namespace", async () => {
    await eventually(async () => {
      await succeed(["create", "--dry-run=server", "-f", "-"], configMap("team-a", "legacy-1"));
    });
    await succeed(
      ["create", "--dry-run=server", "-f", "-"],
      JSON.stringify({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { namespace: "team-a", generateName: "legacy-" },
      }),
    );
    expect((await dryRun(configMap("team-a", "other"))).stderr).toContain("label it with an owner");
    expect((await dryRun(configMap("team-b", "legacy-1"))).stderr).toContain("label it with an owner");
  });

  it("ends an exception for creations at its expiry without being rendered anew", async () => {
    const expiresAt = Date.now() + 6_000;
    await install(celPolicy("owners", {}), [exceptionFor("owners", "team-a", expiresAt)]);
    await succeed(["create", "-f", "-"], configMap("team-a", "legacy-kept"));
    await eventually(async () => {
      expect((await dryRun(configMap("team-a", "legacy-2"))).stderr).toContain("label it with an owner");
    });
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt - 1_000);
    await succeed(["annotate", "configmap", "legacy-kept", "-n", "team-a", "note=still-open-until-rendered"]);
    await install(celPolicy("owners", {}), [exceptionFor("owners", "team-a", expiresAt)]);
    await eventually(async () => {
      const result = await kubectl([
        "annotate",
        "configmap",
        "legacy-kept",
        "-n",
        "team-a",
        `note=${Date.now()}`,
        "--overwrite",
      ]);
      expect(result.stderr).toContain("label it with an owner");
    });
    await uninstall("owners");
  });

  it("warns with our message and lets the request pass when the policy warns", async () => {
    await install(celPolicy("gentle", { actions: { admission: "warn" } }));
    await eventually(async () => {
      const { code, stderr } = await dryRun(configMap("team-b", "unowned"));
      expect(code).toBe(0);
      expect(stderr).toContain('ShieldPolicy "gentle": label it with an owner');
    });
    await uninstall("gentle");
  });

  it("keeps the meaning of messageExpression, its empty result included", async () => {
    const validations = [
      {
        expression: "has(object.metadata.labels)",
        message: "needs labels",
        messageExpression: "object.metadata.name == 'silent' ? '' : 'name it, ' + object.metadata.name",
      },
    ];
    await install(celPolicy("spoken", { validations }));
    await eventually(async () => {
      expect((await dryRun(configMap("team-b", "loud"))).stderr).toContain(
        'ShieldPolicy "spoken": name it, loud',
      );
    });
    expect((await dryRun(configMap("team-b", "silent"))).stderr).toContain(
      'ShieldPolicy "spoken": needs labels',
    );
    await uninstall("spoken");
  });

  it("carries parameters", async () => {
    await succeed(["create", "configmap", "limits", "-n", "team-b", "--from-literal=prefix=ok-"]);
    await install(
      celPolicy("prefixed", {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        paramRef: { name: "limits", namespace: "team-b", parameterNotFoundAction: "Deny" },
        validations: [{ expression: "object.metadata.name.startsWith(params.data.prefix)" }],
      }),
    );
    await eventually(async () => {
      expect((await dryRun(configMap("team-a", "bad"))).stderr).toContain(
        'ShieldPolicy "prefixed": this must hold: object.',
      );
    });
    await eventually(async () => {
      await succeed(["create", "--dry-run=server", "-f", "-"], configMap("team-a", "ok-1"));
    });
    await uninstall("prefixed");
  });

  it("cannot block Leases, Nodes, the deletion of a namespace, or kube-system, even when it refuses everything", async () => {
    await succeed(["create", "configmap", "inmate", "-n", "doomed"]);
    await install(
      celPolicy("nothing-goes", {
        matchConstraints: {
          matchPolicy: "Equivalent",
          resourceRules: [
            {
              apiGroups: ["*"],
              apiVersions: ["*"],
              operations: ["*"],
              resources: ["*/*"],
              scope: "*",
            },
          ],
        },
        validations: [{ expression: "false", message: "nothing goes" }],
      }),
    );
    await eventually(async () => {
      expect((await dryRun(configMap("team-b", "any"))).stderr).toContain(
        'ShieldPolicy "nothing-goes": nothing goes',
      );
    });
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } };
    await succeed(["create", "-f", "-"], JSON.stringify(node));
    const lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "l1", namespace: "team-b" },
    };
    await succeed(["create", "-f", "-"], JSON.stringify(lease));
    await succeed(["create", "configmap", "any", "-n", "kube-system"]);
    expect((await kubectl(["delete", "configmap", "inmate", "-n", "doomed"])).stderr).toContain(
      "nothing goes",
    );
    await succeed(["delete", "namespace", "doomed", "--timeout=60s"]);
    await uninstall("nothing-goes");
  });
});

function exceptionFor(policy: string, namespace: string, expiresAt: number): ShieldException {
  const match = { kinds: ["ConfigMap"], names: ["legacy-*"] };
  return shieldException(
    "legacy",
    { policies: [policy], expiresAt: new Date(expiresAt).toISOString(), match },
    { namespace },
  );
}

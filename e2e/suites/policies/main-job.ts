import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, type KubernetesMinor, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import {
  apply,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  replicaLimit,
  restrictedPod,
  tryCreate,
  untilCondition,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** The main job, from outside: policies applied with kubectl, their effect seen with kubectl. */
export function mainJob(kubernetes: KubernetesMinor): void {
  let cluster: Cluster;
  let shieldx: ShieldxOnHost;

  beforeAll(async () => {
    cluster = await startCluster({ name: `main-job-${kubernetes.replace(".", "")}`, kubernetes });
    shieldx = await startShieldxOnHost(cluster);
  });
  afterAll(async () => {
    await shieldx?.stop();
    await cluster?.stop();
  });
  afterEach(async () => {
    await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
    await cluster.kubectl(["delete", "shieldexceptions", "-A", "--all"]);
    await cluster.kubectl([
      "delete",
      "pods,deployments",
      "-n",
      "default",
      "--all",
      "--force",
      "--grace-period=0",
    ]);
  });

  const hostNetworkPod = (name: string, namespace = "default") =>
    restrictedPod(name, { hostNetwork: true }, namespace);
  const deployment = (name: string, pod: Manifest): Manifest => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: pod.spec },
    },
  });

  describe("a podSecurity policy", () => {
    it("refuses a Pod that breaks it, saying which policy, which check and which field", async () => {
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      const bad = await tryCreate(cluster, hostNetworkPod("bad"));
      expect(bad.allowed).toBe(false);
      expect(bad.message).toContain('ShieldPolicy "baseline-pods"');
      expect(bad.message).toContain("hostNetwork=true");
      expect(await tryCreate(cluster, restrictedPod("good"))).toMatchObject({ allowed: true });
    });

    it("judges workloads by their template", async () => {
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      const bad = await apply(cluster, deployment("bad", hostNetworkPod("bad")));
      expect(bad.allowed).toBe(false);
      expect(bad.message).toContain("hostNetwork=true");
      expect(await apply(cluster, deployment("good", restrictedPod("good")))).toMatchObject({
        allowed: true,
      });
    });

    it("warns without refusing when its action is warn", async () => {
      await enforce(cluster, podSecurityPolicy("warns", { actions: { admission: "warn" } }));
      const warned = await tryCreate(cluster, hostNetworkPod("bad"));
      expect(warned.allowed).toBe(true);
      expect(warned.message).toMatch(/Warning:.*warns.*hostNetwork=true/s);
    });

    it("counts existing offenders, names the worst and reports each of them", async () => {
      await apply(cluster, hostNetworkPod("offender"));
      await apply(cluster, restrictedPod("innocent"));
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      const policy = await waitFor("the offender counted", async () => {
        const found = await read<{
          status: { counts?: { violating?: number }; worstOffenders?: { name: string }[] };
        }>(cluster, "shieldpolicy", "baseline-pods");
        return found?.status.counts?.violating === 1 ? found : undefined;
      });
      expect(policy.status.worstOffenders?.map((o) => o.name)).toEqual(["offender"]);
      const reports = await waitFor("one Report", async () => {
        const found = await read<{
          items: { metadata: { ownerReferences?: { name: string }[] }; results: { policy: string }[] }[];
        }>(cluster, "reports.openreports.io", "-A");
        return found !== undefined && found.items.length > 0 ? found.items : undefined;
      });
      expect(reports).toHaveLength(1);
      expect(reports[0]?.metadata.ownerReferences?.[0]?.name).toBe("offender");
      await cluster.kubectl(["delete", "pod", "offender", "--force", "--grace-period=0"]);
      await waitFor("the count back at 0", async () => {
        const found = await read<{ status: { counts?: { violating?: number } } }>(
          cluster,
          "shieldpolicy",
          "baseline-pods",
        );
        return found?.status.counts?.violating === 0;
      });
    });

    it("never traps an existing object: labels, finalizers and deletion pass", async () => {
      await apply(cluster, {
        ...hostNetworkPod("offender"),
        metadata: { name: "offender", namespace: "default", finalizers: ["example.org/hold"] },
      });
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      await waitFor(
        "new offenders refused",
        async () => !(await tryCreate(cluster, hostNetworkPod("probe"))).allowed,
      );
      expect(await cluster.kubectl(["label", "pod", "offender", "note=seen"])).toMatchObject({ code: 0 });
      expect(await cluster.kubectl(["delete", "pod", "offender", "--wait=false"])).toMatchObject({ code: 0 });
      const patch = ["patch", "pod", "offender", "--type=merge", "-p", '{"metadata":{"finalizers":null}}'];
      expect(await cluster.kubectl(patch)).toMatchObject({ code: 0 });
      await waitFor("the Pod gone", async () => (await read(cluster, "pod", "offender")) === undefined);
    });

    it("leaves the system's own namespaces alone", async () => {
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      for (const namespace of ["kube-system", "kube-node-lease", "shieldx-system"]) {
        const pod = { ...restrictedPod("system", { hostIPC: true }, namespace) };
        // ShieldX's own namespace is under the API server's own `restricted`; only our refusal is of interest.
        expect((await tryCreate(cluster, pod)).message).not.toContain("ShieldPolicy");
      }
    });

    it("judges ephemeral containers added to a running Pod", async () => {
      await apply(cluster, restrictedPod("debugged"));
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      const debug = (securityContext: Manifest) =>
        cluster.kubectl([
          "patch",
          "pod",
          "debugged",
          "--subresource=ephemeralcontainers",
          "--type=strategic",
          "-p",
          JSON.stringify({
            spec: {
              ephemeralContainers: [
                { name: "debug", image: "docker.io/local/busybox:test", securityContext },
              ],
            },
          }),
        ]);
      const refused = await waitFor("refused", async () => {
        const outcome = await debug({ privileged: true });
        return outcome.code === 0 ? undefined : outcome;
      });
      expect(refused.stderr).toContain('ShieldPolicy "baseline-pods"');
      expect(refused.stderr).toContain('"debug"');
      expect(await debug({ privileged: false })).toMatchObject({ code: 0 });
    });

    it("exempts users, namespaces and runtime classes that it lists, and nobody else", async () => {
      await cluster.kubectl(["create", "namespace", "exempted"]);
      await cluster.kubectl(["create", "serviceaccount", "default", "-n", "exempted"]);
      const exemptions = {
        usernames: ["system:admin-of-nodes"],
        namespaces: ["exempted"],
        runtimeClassNames: ["sandboxed"],
      };
      const runtimeClass = {
        apiVersion: "node.k8s.io/v1",
        kind: "RuntimeClass",
        metadata: { name: "sandboxed" },
        handler: "runsc",
      };
      await apply(cluster, runtimeClass);
      await enforce(
        cluster,
        podSecurityPolicy("baseline-pods", { podSecurity: { level: "baseline", exemptions } }),
      );
      const bad = hostNetworkPod("bad");
      await waitFor("refused", async () => !(await tryCreate(cluster, bad)).allowed);
      expect(await tryCreate(cluster, hostNetworkPod("bad", "exempted"))).toMatchObject({ allowed: true });
      expect(
        await tryCreate(cluster, restrictedPod("bad", { hostNetwork: true, runtimeClassName: "sandboxed" })),
      ).toMatchObject({ allowed: true });
      const as = ["--as=system:admin-of-nodes", "--as-group=system:masters"];
      const asUser = await cluster.kubectl(["create", "--dry-run=server", ...as, "-f", "-"], {
        input: JSON.stringify(bad),
      });
      expect(asUser).toMatchObject({ code: 0 });
    });

    it("leaves nothing behind when it is deleted", async () => {
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      await cluster.kubectl(["delete", "shieldpolicy", "baseline-pods"]);
      await waitFor(
        "bad Pods pass again",
        async () => (await tryCreate(cluster, hostNetworkPod("bad"))).allowed,
      );
      await waitFor("no dynamic webhook configuration", async () => {
        const found = await read<{ items: { metadata: { name: string } }[] }>(
          cluster,
          "validatingwebhookconfigurations",
        );
        return found?.items.map((i) => i.metadata.name).join() === "shieldx-kinds";
      });
    });

    it("is in force about a second after a change", async () => {
      await enforce(cluster, podSecurityPolicy("changing", { actions: { admission: "warn" } }));
      const began = performance.now();
      await apply(cluster, podSecurityPolicy("changing", { actions: { admission: "deny" } }));
      await waitFor("refused", async () => !(await tryCreate(cluster, hostNetworkPod("bad"))).allowed, {
        everyMs: 5,
      });
      console.log(
        `warn -> deny in force after ${Math.round(performance.now() - began)} ms, kubectl's own time included`,
      );
    });
  });

  describe("a ShieldException", () => {
    const exception = (expiresInMs: number, spec: Manifest = {}): Manifest => ({
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "speaker", namespace: "default" },
      spec: {
        policies: ["baseline-pods"],
        owner: "team-network",
        reason: "The speaker announces addresses on the host's network (NET-1).",
        expiresAt: new Date(Date.now() + expiresInMs).toISOString().replace(/\.\d+Z$/, "Z"),
        match: { names: ["speaker*"] },
        ...spec,
      },
    });
    const open = { exceptions: { namespaces: { names: ["default"] } } };

    it("lets named objects pass until it expires", async () => {
      await enforce(cluster, podSecurityPolicy("baseline-pods", open));
      expect(await apply(cluster, exception(6000))).toMatchObject({ allowed: true });
      await waitFor(
        "the exception in force",
        async () => (await tryCreate(cluster, hostNetworkPod("speaker-1"))).allowed,
      );
      expect(await tryCreate(cluster, hostNetworkPod("other"))).toMatchObject({ allowed: false });
      await waitFor(
        "refused again",
        async () => !(await tryCreate(cluster, hostNetworkPod("speaker-1"))).allowed,
      );
      await untilCondition(cluster, ["shieldexception", "speaker", "-n", "default"], "Expired", "True");
    });

    it("is refused where the policy allows none, or not for so long", async () => {
      await enforce(cluster, podSecurityPolicy("baseline-pods"));
      const refused = await apply(cluster, exception(60_000));
      expect(refused.allowed).toBe(false);
      expect(refused.message).toContain("spec.exceptions");
      await enforce(
        cluster,
        podSecurityPolicy("baseline-pods", { exceptions: { ...open.exceptions, maxDuration: "1h" } }),
      );
      const tooLong = await waitFor("the policy's new terms known", async () => {
        const outcome = await tryCreate(cluster, exception(2 * 3_600_000));
        return outcome.message.includes("choose an earlier expiresAt") ? outcome : undefined;
      });
      expect(tooLong.allowed).toBe(false);
    });
  });

  describe("a cel policy", () => {
    const fewReplicas = replicaLimit("few-replicas", {
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ["apps"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["deployments"],
          },
        ],
      },
    });
    const many = () => {
      const object = deployment("many", restrictedPod("many"));
      return { ...object, spec: { ...(object.spec as Manifest), replicas: 9 } };
    };

    it("is enforced natively, and its message names it", async () => {
      const policy = await enforce(cluster, fewReplicas);
      expect(policy.status?.enforcedBy).toBe("Native");
      const refused = await waitFor("enforced", async () => {
        const outcome = await tryCreate(cluster, many());
        return outcome.allowed ? undefined : outcome;
      });
      expect(refused.message).toContain("few-replicas");
      expect(refused.message).toContain("at most 5 replicas");
    });

    it("is restored when what enforces it is deleted or edited", async () => {
      await enforce(cluster, fewReplicas);
      for (const kind of ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]) {
        const before = await read<{ items: { metadata: { name: string; uid: string } }[] }>(cluster, kind);
        const [target] = before?.items ?? [];
        expect(target).toBeDefined();
        const began = performance.now();
        await cluster.kubectl(["delete", kind, target!.metadata.name]);
        await waitFor(
          `${kind} restored`,
          async () => {
            const now = await read<{ metadata: { uid: string } }>(cluster, kind, target!.metadata.name);
            return now !== undefined && now.metadata.uid !== target!.metadata.uid;
          },
          { everyMs: 10 },
        );
        console.log(
          `${kind} restored after ${Math.round(performance.now() - began)} ms, kubectl's own time included`,
        );
      }
    });

    it("is refused at apply when an expression is broken, with position and reason", async () => {
      const validations = [{ expression: "object.spec.replicas <= " }];
      const refused = await apply(cluster, replicaLimit("few-replicas", { validations }));
      expect(refused.allowed).toBe(false);
      expect(refused.message).toContain("spec.validations[0].expression");
      expect(refused.message).toMatch(/Syntax error/);
    });

    it("takes its admission policy and binding with it", async () => {
      await enforce(cluster, fewReplicas);
      await cluster.kubectl(["delete", "shieldpolicy", "few-replicas"]);
      await waitFor("both gone", async () => {
        const left = await cluster.kubectl([
          "get",
          "validatingadmissionpolicies,validatingadmissionpolicybindings",
          "-o",
          "name",
        ]);
        return left.stdout.trim() === "";
      });
    });
  });
}

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, enforce, type Manifest, read, restrictedPod, tryCreate } from "../../shieldx/objects.ts";
import { readLibrary } from "./library.ts";

/** Policies of the library in a real ShieldX: told to deny, they refuse, in words that say what to do. */
const library = new Map(readLibrary().map((entry) => [entry.name, entry.policy]));
const names = [
  "no-privileged-containers",
  "no-external-ips",
  "no-cluster-admin-bindings",
  "replicas-in-bounds",
];

let cluster: Cluster;
let shieldx: ShieldxOnHost;

beforeAll(async () => {
  cluster = await startCluster({ name: "library-in-force" });
  shieldx = await startShieldxOnHost(cluster);
  // It was there before any policy.
  expect((await apply(cluster, deployment("old", [privileged]))).allowed).toBe(true);
  for (const name of names) await enforce(cluster, denying(name));
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

const denying = (name: string): Manifest => {
  const policy = library.get(name);
  if (policy === undefined) throw new Error(`the library has no ${name}`);
  return { ...policy, spec: { ...policy.spec, actions: { ...policy.spec.actions, admission: "deny" } } };
};
const image = "none.invalid/none";
const privileged = { name: "root", image, securityContext: { privileged: true } };
const harmless = { name: "app", image };
function deployment(name: string, containers: unknown[], more: Manifest = {}, replicas = 1): Manifest {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers, ...more } };
  const spec = { replicas, selector: { matchLabels: labels }, template };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace: "default" }, spec };
}

describe("a policy of the library that denies", () => {
  it.each(names)("%s has passed its tests and is enforced by the API server", async (name) => {
    const policy = await read<{
      status: { enforcedBy: string; conditions: { type: string; reason: string }[] };
    }>(cluster, "shieldpolicy", name);
    expect(policy?.status.enforcedBy).toBe("Native");
    expect(policy?.status.conditions).toContainEqual(
      expect.objectContaining({ type: "TestsPassed", status: "True", reason: "TestsPassed" }),
    );
  });

  it("names the container and the remedy, in Pods and in templates", async () => {
    const says = /ShieldPolicy "no-privileged-containers".*must not be true \(containers: root\); remove it/;
    const pod = restrictedPod("bad", { containers: [harmless, privileged] });
    expect(await tryCreate(cluster, pod)).toMatchObject({
      allowed: false,
      message: expect.stringMatching(says),
    });
    const prepared = deployment("bad", [harmless], { initContainers: [privileged] });
    expect((await tryCreate(cluster, prepared)).message).toMatch(says);
    expect((await tryCreate(cluster, deployment("good", [harmless]))).allowed).toBe(true);
  });

  it("lets what was there before be scaled, and not be made worse", async () => {
    expect((await apply(cluster, deployment("old", [privileged], {}, 2))).allowed).toBe(true);
    const worse = await apply(
      cluster,
      deployment("old", [privileged, { ...privileged, name: "more" }], {}, 2),
    );
    expect(worse.message).toContain("(containers: root, more)");
    const many = await apply(cluster, deployment("old", [privileged], {}, 101));
    expect(many.message).toContain("spec.replicas: must be at most 100; ask for less");
  });

  it("judges other kinds by their own fields", async () => {
    const service = (externalIPs: string[]) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "taken", namespace: "default" },
      spec: { ports: [{ port: 80 }], externalIPs },
    });
    const taken = await tryCreate(cluster, service(["203.0.113.7"]));
    expect(taken.message).toContain("spec.externalIPs: must be empty; use a load balancer or an Ingress");
    expect((await tryCreate(cluster, service([]))).allowed).toBe(true);
    const bind = (role: string) =>
      cluster.kubectl([
        "create",
        "clusterrolebinding",
        "j",
        "--user=j",
        `--clusterrole=${role}`,
        "--dry-run=server",
      ]);
    expect((await bind("cluster-admin")).stderr).toContain(
      "roleRef.name: must not be cluster-admin; bind a role",
    );
    expect((await bind("view")).code).toBe(0);
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { TestRegistry } from "../../../packages/policy-engine/testing/registry/registry.ts";
import {
  signBundle,
  signingKey,
  signSimple,
} from "../../../packages/policy-engine/testing/registry/signing.ts";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, enforce, type Manifest, read } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** Policies that want images signed, from outside: a real API server on one side, a registry over HTTPS on the other. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
const registry = new TestRegistry();
const key = signingKey();
let number = 0;

beforeAll(async () => {
  await registry.start();
  cluster = await startCluster({ name: "images" });
  shieldx = await startShieldxOnHost(cluster, { chartValues: { "rbac.imageSecrets": "{registry}" } });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
  registry.stop();
});
beforeEach(() => {
  number++;
});
afterEach(async () => {
  registry.intercept = () => undefined;
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
});

const verifying = (verifyImages: Manifest = {}, spec: Manifest = {}): Manifest => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name: "signed" },
  spec: {
    engine: "images",
    verifyImages: {
      rules: [{ name: "ours", images: [`${registry.host}/shop/**`], keys: [key.publicKeyPem] }],
      registries: [{ host: registry.host, certificateAuthorities: registry.certificatePem }],
      ...verifyImages,
    },
    actions: { admission: "deny" },
    ...spec,
  },
});

/** An image of its own, by which nothing has been found out. */
function image(sign?: typeof signSimple): {
  readonly text: string;
  readonly tag: string;
  readonly digest: string;
} {
  const tag = `v${number}`;
  const digest = registry.pushImage("shop/web", tag, `content ${number}`);
  sign?.(registry, "shop/web", digest, key);
  return { text: `${registry.host}/shop/web:${tag}`, tag, digest };
}

const template = (text: string) => ({ containers: [{ name: "web", image: text }] });
const pod = (text: string, name = "web"): Manifest => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: template(text),
});
const deployment = (text: string, replicas = 0): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: template(text) },
  },
});

interface Audited {
  readonly status?: {
    readonly counts?: { readonly lastScanTime?: string };
    readonly worstOffenders?: readonly { readonly name: string }[];
  };
}

interface Made {
  readonly spec: { readonly containers?: readonly { readonly image: string }[]; readonly template?: Made };
}
const imageOf = ({ spec }: Made): string | undefined => (spec.template?.spec ?? spec).containers?.[0]?.image;

/** The image as it would be stored, or why it would not be. */
async function made(object: Manifest): Promise<string | undefined> {
  const args = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
  const { code, stdout, stderr } = await cluster.kubectl(args, { input: JSON.stringify(object) });
  return code === 0 ? imageOf(JSON.parse(stdout) as Made) : stderr;
}

describe("a policy that wants images signed", () => {
  it.each([
    ["first", signSimple],
    ["second", signBundle],
  ] as const)(
    "stores what is signed in cosign's %s form by its digest, in Pods and in what makes them",
    async (_, sign) => {
      await enforce(cluster, verifying());
      const { text, digest } = image(sign);
      expect(await made(pod(text))).toBe(`${text}@${digest}`);
      expect(await made(deployment(text))).toBe(`${text}@${digest}`);
      expect(await made(pod(`${text}@${digest}`))).toBe(`${text}@${digest}`);
    },
  );

  it("refuses what is not signed, or by another key, and says so", async () => {
    await enforce(cluster, verifying());
    const { text, digest } = image();
    expect(await made(pod(text))).toMatch(
      new RegExp(
        `Forbidden.*ShieldPolicy "signed" refuses Pod "default/web": image ${text} \\(container "web"\\): it carries no ` +
          `signature \\(${digest}\\) \\(rule "ours"\\)`,
      ),
    );
    expect(await made(deployment(text))).toContain("it carries no signature");
    number++;
    const forged = image();
    signSimple(registry, "shop/web", forged.digest, signingKey());
    expect(await made(pod(forged.text))).toContain(
      "it carries a signature, but it is not by a key of the rule",
    );
    expect(await made(pod(`${registry.host}/shop/none:1`))).toContain("the registry has no such image");
    expect(await made(pod(`${registry.host}/elsewhere/web:1`))).toBe(`${registry.host}/elsewhere/web:1`);
  });

  it("runs what was verified after the tag has moved", async () => {
    await enforce(cluster, verifying());
    const { text, tag, digest } = image(signSimple);
    expect((await apply(cluster, deployment(text))).allowed).toBe(true);
    registry.pushImage("shop/web", tag, `moved ${number}`);
    const stored = await read<Made>(cluster, "deployment", "web");
    expect(stored && imageOf(stored)).toBe(`${text}@${digest}`);
    // What is there stays editable, and its Pods are made of the digest: whatever the tag is by now.
    await cluster.kubectl(["label", "deployment", "web", "tier=front"]);
    await cluster.kubectl(["scale", "deployment", "web", "--replicas=1"]);
    const labelled = await read<Made & { metadata: { labels?: Record<string, string> } }>(
      cluster,
      "deployment",
      "web",
    );
    expect([labelled?.metadata.labels?.tier, labelled && imageOf(labelled)]).toEqual([
      "front",
      `${text}@${digest}`,
    ]);
    await cluster.kubectl(["delete", "deployment", "web", "--wait=true"]);
  });

  it("never traps what was there before it", async () => {
    const { text } = image();
    expect((await apply(cluster, deployment(text))).allowed).toBe(true);
    await enforce(cluster, verifying());
    const labelled = await cluster.kubectl(["label", "deployment", "web", "tier=front"]);
    expect(labelled.code).toBe(0);
    const changed = await cluster.kubectl([
      "set",
      "image",
      "deployment/web",
      `web=${registry.host}/shop/web:other`,
    ]);
    expect(changed.stderr).toContain("the registry has no such image");
    const gone = await cluster.kubectl(["delete", "deployment", "web", "--wait=true"]);
    expect(gone.code).toBe(0);
  });

  it("is decided by failurePolicy while the registry is silent, before the API server gives up", async () => {
    registry.intercept = () => true;
    await enforce(cluster, verifying());
    const { text } = image(signSimple);
    // In the policy's words: had the webhook been waited for in vain, the API server would say so in its own.
    const refused = await made(pod(text));
    expect(refused).toContain('ShieldPolicy "signed" could not be evaluated for Pod "default/web"');
    expect(refused).toMatch(new RegExp(`image ${text} .*${registry.host} did not answer within \\d+ ms`));
    await enforce(cluster, verifying({}, { failurePolicy: "Ignore" }));
    number++;
    const ignored = image(signSimple);
    expect(await made(pod(ignored.text))).toBe(ignored.text);
  });

  it("admits by digest what it has verified when the registry is gone", async () => {
    await enforce(cluster, verifying());
    const { text, digest } = image(signSimple);
    const pinned = await made(pod(text));
    expect(pinned).toBe(`${text}@${digest}`);
    registry.intercept = ({ socket }) => void socket.destroy() === undefined;
    expect(await made(pod(`${text}@${digest}`, "again"))).toBe(`${text}@${digest}`);
    number++;
    expect(await made(pod(image(signSimple).text))).toContain("cannot be reached");
  });

  it("warns first, and changes nothing then", async () => {
    await enforce(cluster, verifying({}, { actions: { admission: "warn" } }));
    const { text } = image();
    const outcome = await apply(cluster, pod(text), "--dry-run=server");
    expect([outcome.allowed, outcome.message]).toEqual([
      true,
      expect.stringContaining("Warning: ShieldPolicy"),
    ]);
    expect(await made(pod(text))).toBe(text);
  });

  it("finds what runs unsigned, or by tag, among what exists", async () => {
    const unsigned = image();
    const signed = registry.pushImage("shop/web", `signed${number}`, `signed ${number}`);
    signSimple(registry, "shop/web", signed, key);
    for (const [name, text] of [
      ["unsigned", unsigned.text],
      ["tagged", `${registry.host}/shop/web:signed${number}`],
      ["pinned", `${registry.host}/shop/web@${signed}`],
    ] as const)
      expect((await apply(cluster, pod(text, name))).allowed).toBe(true);
    await enforce(cluster, verifying({}, { actions: { admission: "deny", background: "audit" } }));
    const offenders = await waitFor("audited", async () => {
      const { status } = (await read<Audited>(cluster, "shieldpolicy", "signed")) ?? {};
      if (status?.counts?.lastScanTime === undefined) return undefined;
      return status.worstOffenders?.map(({ name }) => name).sort();
    });
    expect(offenders).toEqual(["tagged", "unsigned"]);
    await cluster.kubectl(["delete", "pods", "--all", "--wait=false", "--force"]);
  });

  it("has credentials from a Secret that the chart grants, and from no other", async () => {
    const auth = Buffer.from("ann:secret").toString("base64");
    registry.intercept = ({ headers }, response) => {
      if (headers.authorization === `Basic ${auth}`) return undefined;
      response.writeHead(401, { "WWW-Authenticate": 'Basic realm="test"' }).end();
      return true;
    };
    await apply(cluster, {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/dockerconfigjson",
      metadata: { name: "registry", namespace: "shieldx-system" },
      stringData: { ".dockerconfigjson": JSON.stringify({ auths: { [registry.host]: { auth } } }) },
    });
    const reached = { host: registry.host, certificateAuthorities: registry.certificatePem };
    const by = (name: string) => verifying({ registries: [{ ...reached, pullSecretRef: { name } }] });
    await enforce(cluster, by("registry"));
    const { text, digest } = image(signSimple);
    expect(await made(pod(text))).toBe(`${text}@${digest}`);
    await enforce(cluster, by("other"));
    number++;
    expect(await made(pod(image(signSimple).text))).toContain(
      'ShieldX may not read Secret "other" in namespace "shieldx-system": list it in rbac.imageSecrets of the chart',
    );
  });

  it.each([
    [
      { rules: [{ name: "a", images: ["nginx"], keys: [key.publicKeyPem] }] },
      "spec.verifyImages.rules[0].images[0]: begins with no registry",
    ],
    [{ rules: [{ name: "a", images: ["**"] }] }, "says not who must have signed"],
  ])("is refused when it is applied where it cannot be meant: %#", async (verifyImages, message) => {
    const { allowed, message: said } = await apply(cluster, verifying(verifyImages));
    expect([allowed, said]).toEqual([false, expect.stringContaining(message)]);
  });
});

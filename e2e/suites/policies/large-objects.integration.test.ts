import { ApiError, type Client } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildRegoCompiler, type Cluster, startCluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, celPolicy, enforce, type Manifest, regoPolicy } from "../../shieldx/objects.ts";

/**
 * What a real API server makes of large and deep objects: reviews six times their size, as Go writes `<` as six
 * characters, and of any size where a schema fills in defaults. Nothing of that may pass unjudged.
 */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let client: Client;

const version = {
  name: "v1",
  served: true,
  storage: true,
  schema: {
    openAPIV3Schema: {
      type: "object",
      properties: {
        spec: {
          type: "object",
          "x-kubernetes-preserve-unknown-fields": true,
          properties: {
            items: {
              type: "array",
              items: { type: "object", properties: { text: { type: "string", default: "<".repeat(3_000) } } },
            },
          },
        },
      },
    },
  },
};
const definition: Manifest = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "things.large.example.com" },
  spec: {
    group: "large.example.com",
    scope: "Namespaced",
    names: { kind: "Thing", plural: "things", singular: "thing" },
    versions: [version],
  },
};

/** Names that begin with "bad" are refused. */
const noneBad = (name: string, failurePolicy: "Fail" | "Ignore"): Manifest =>
  celPolicy(name, {
    evaluation: "Webhook",
    failurePolicy,
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: ["apps", "large.example.com"],
          apiVersions: ["v1"],
          operations: ["CREATE", "UPDATE"],
          resources: ["deployments", "controllerrevisions", "things"],
        },
      ],
    },
    validations: [{ expression: "!object.metadata.name.startsWith('bad')", message: "a bad name" }],
  });

beforeAll(async () => {
  const compiler = await buildRegoCompiler();
  cluster = await startCluster({ name: "large-objects" });
  shieldx = await startShieldxOnHost(cluster, { args: [`--rego-compiler=${compiler}`] });
  [client] = await clientsOf(cluster);
  expect(await apply(cluster, definition)).toMatchObject({ allowed: true });
  await cluster.kubectl(["wait", "--for=condition=Established", "crd/things.large.example.com"]);
  await enforce(cluster, noneBad("lenient", "Ignore"));
});
afterAll(async () => {
  await client?.close();
  await shieldx?.stop();
  await cluster?.stop();
});

/** The bytes as they are; kubectl would parse and write them anew. */
async function create(
  path: string,
  body: object,
  { headers = {}, query }: { headers?: Record<string, string>; query?: Record<string, string> } = {},
): Promise<string> {
  try {
    await client.request("POST", path, {
      body,
      query,
      headers: { "content-type": "application/json", ...headers },
    });
    return "let in";
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}
const tried = { query: { dryRun: "All" } };

const deployments = "/apis/apps/v1/namespaces/default/deployments";
const things = "/apis/large.example.com/v1/namespaces/default/things";
const deployment = (name: string, argument: string): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "app", image: "none.invalid/app", args: [argument] }] },
    },
  },
});
const thing = (name: string, spec: object): Manifest => ({
  apiVersion: "large.example.com/v1",
  kind: "Thing",
  metadata: { name, namespace: "default" },
  spec,
});
const deepThing = (name: string, levels: number): Buffer => {
  const deep = `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  return Buffer.from(JSON.stringify(thing(name, { x: "DEEP" })).replace('"DEEP"', deep));
};
const refused = /ShieldPolicy "lenient" refuses .*a bad name/;

describe("under failurePolicy Ignore", () => {
  it("an object whose review is six times its size is judged as any other", async () => {
    const large = "<".repeat(1_420_000);
    expect(await create(deployments, deployment("bad-large", large))).toMatch(refused);
    expect(await create(deployments, deployment("good-large", large))).toBe("let in");
  });

  it("one nested as deep as an API server takes it is judged as any other", async () => {
    for (const levels of [1_100, 9_900]) {
      expect(await create(things, deepThing("bad-deep", levels))).toMatch(refused);
      expect(await create(things, deepThing("good-deep", levels), tried)).toBe("let in");
    }
  });

  it("one that defaults have made larger than any review that is read is refused, saying so", async () => {
    const items = Array.from({ length: 3_000 }, () => ({}));
    const answer = await create(things, thing("good-defaults", { items }), tried);
    expect(answer).toMatch(/ShieldPolicy "lenient" .*default\/good-defaults.*the request is 5\d{7} bytes/);
    expect(answer).toMatch(/make the object smaller/);
  });

  it("one that is no UTF-8, and one by a user with a long name, are judged", async () => {
    const revision = {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: { name: "bad-bytes", namespace: "default" },
      data: { a: "BYTE" },
      revision: 1,
    };
    const [before = "", after = ""] = JSON.stringify(revision).split("BYTE");
    const body = Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from(after)]);
    const revisions = "/apis/apps/v1/namespaces/default/controllerrevisions";
    expect(await create(revisions, body)).toMatch(refused);
    const headers = { "impersonate-user": "x".repeat(5_000), "impersonate-group": "system:masters" };
    expect(await create(deployments, deployment("bad-user", "a"), { headers })).toMatch(refused);
  });
});

it("where policies in Rego walk what is that deep, failurePolicy decides for those alone", async () => {
  const about = {
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: ["large.example.com"],
          apiVersions: ["v1"],
          operations: ["CREATE"],
          resources: ["things"],
        },
      ],
    },
    failurePolicy: "Ignore",
  };
  const module = (rule: string) => `package a\ndeny contains "a worse name" if ${rule}`;
  const walks = 'some path; walk(input.review.object.spec, [path, "bad"])';
  await enforce(cluster, regoPolicy("walks", module(`{ ${walks} }`), about));
  await enforce(
    cluster,
    regoPolicy("looks", module('startswith(input.review.object.metadata.name, "worse")'), about),
  );
  expect(await create(things, deepThing("worse", 9_900), tried)).toMatch(/"looks" refuses .*a worse name/);
  expect(await create(things, deepThing("bad-deep", 9_900), tried)).toMatch(refused);
  expect(await create(things, deepThing("good-deep", 9_900), tried)).toBe("let in");
  expect(await create(things, thing("shallow", { x: { y: "bad" } }), tried)).toMatch(/"walks" refuses/);
  const whole = JSON.stringify(thing("bad-number", { x: "DEEP" })).replace(
    '"DEEP"',
    `${'{"a":'.repeat(9_900)}9007199254740993${"}".repeat(9_900)}`,
  );
  expect(await create(things, Buffer.from(whole), tried)).not.toBe("let in");
});

it("under failurePolicy Fail good ones are let in", async () => {
  await enforce(cluster, noneBad("strict", "Fail"));
  const large = "<".repeat(1_420_000);
  expect(await create(deployments, deployment("good-too", large), tried)).toBe("let in");
  expect(await create(things, deepThing("good-deep", 9_900), tried)).toBe("let in");
});

it("under failurePolicy Ignore fourteen large ones at once are none let in", async () => {
  // On few cores an API server needs seconds to write so much, of the three that it waits: that is not what is tested.
  for (const operator of shieldx.operators) await operator.stop();
  const patch = '[{"op":"replace","path":"/webhooks/0/timeoutSeconds","value":30}]';
  const configurations = await cluster.kubectl(["get", "validatingwebhookconfigurations", "-o", "name"]);
  for (const name of configurations.stdout.trim().split("\n"))
    await cluster.kubectl(["patch", name, "--type=json", `--patch=${patch}`]);
  const one = deployment("bad-many", "<".repeat(1_390_000));
  const answers = await Promise.all(Array.from({ length: 14 }, () => create(deployments, one, tried)));
  expect(answers.filter((answer) => answer === "let in")).toEqual([]);
  for (const answer of answers) expect(answer).toMatch(/a bad name|too many large requests at once/);
});

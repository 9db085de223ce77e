import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { CredentialsError } from "./credentials-error.ts";
import { type Kubeconfig, mergeKubeconfigs, parseKubeconfig, selectContext } from "./kubeconfig.ts";

const valid = {
  "current-context": "here",
  contexts: [{ name: "here", context: { cluster: "c", user: "u", namespace: "ns" } }],
  clusters: [
    { name: "c", cluster: { server: "https://127.0.0.1:6443", "certificate-authority": "pki/ca.crt" } },
  ],
  users: [
    {
      name: "u",
      user: {
        "client-certificate": "/abs/me.crt",
        exec: {
          apiVersion: "client.authentication.k8s.io/v1",
          command: "./login",
          env: [{ name: "A", value: "b" }],
        },
      },
    },
  ],
};

function errorOf(read: () => unknown): CredentialsError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(CredentialsError);
    return error as CredentialsError;
  }
  throw new Error("nothing was thrown");
}

describe("parseKubeconfig", () => {
  it("reads what kubectl reads, with paths relative to the file", () => {
    const selected = selectContext(
      parseKubeconfig(stringify(valid), "/home/me/.kube/config"),
      undefined,
      "config",
    );
    expect(selected).toMatchObject({
      name: "here",
      namespace: "ns",
      cluster: { server: "https://127.0.0.1:6443", certificateAuthorityFile: "/home/me/.kube/pki/ca.crt" },
      user: {
        clientCertificateFile: "/abs/me.crt",
        exec: { command: "/home/me/.kube/login", env: { A: "b" }, interactiveMode: "IfAvailable" },
      },
    });
  });

  it("is an empty configuration when the file is empty", () => {
    const error = errorOf(() => selectContext(parseKubeconfig("", "/config"), undefined, "/config"));
    expect(error.code).toBe("ContextMissing");
  });

  it.each([
    ["a: [", "MalformedKubeconfig"],
    ["a: b: c", "MalformedKubeconfig"],
    ["[]", "MalformedKubeconfig"],
    ["just text", "MalformedKubeconfig"],
    ["clusters: {}", "MalformedKubeconfig"],
    ["clusters: [1]", "MalformedKubeconfig"],
    ["users: [{user: {}}]", "MalformedKubeconfig"],
    ["users: [{name: u, user: {exec: {}}}]", "MalformedKubeconfig"],
    ["users: [{name: u, user: {exec: {command: x, interactiveMode: Sometimes}}}]", "MalformedKubeconfig"],
    ["users: [{name: u, user: {token: [a]}}]", "MalformedKubeconfig"],
    [
      "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: &d [*c, *c, *c]\ne: [*d, *d, *d, *d]\n",
      "MalformedKubeconfig",
    ],
  ])("refuses %j in one line that names the file", (text, code) => {
    const error = errorOf(() => parseKubeconfig(text, "/some/config"));
    expect(error.code).toBe(code);
    expect(error.message).toContain("/some/config");
    expect(error.message).not.toContain("\n");
  });

  it("throws CredentialsError or nothing, whatever the text", () => {
    const mutated = fc
      .tuple(fc.nat(1_000), fc.string({ unit: "binary", maxLength: 8 }))
      .map(([place, junk]) => {
        const text = stringify(valid);
        const at = place % text.length;
        return text.slice(0, at) + junk + text.slice(at + junk.length);
      });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          mutated,
          fc.json(),
          fc.jsonValue().map((v) => stringify(v)),
        ),
        (text) => {
          try {
            selectContext(parseKubeconfig(text, "/config"), undefined, "/config");
          } catch (error) {
            expect(error).toBeInstanceOf(CredentialsError);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  }, 120_000);

  it("throws CredentialsError or nothing when any field holds any value", () => {
    const paths = [
      "current-context",
      "contexts",
      "clusters",
      "users",
      "contexts.0",
      "clusters.0.cluster",
      "users.0.user",
      "users.0.user.exec",
      "users.0.user.exec.env",
      "users.0.user.exec.args",
      "users.0.user.as-user-extra",
      "users.0.user.as",
      "clusters.0.cluster.extensions",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const config = structuredClone(valid) as unknown as Record<string, unknown>;
        const steps = path.split(".");
        const last = steps.pop() as string;
        let holder = config;
        for (const step of steps) holder = holder[step] as Record<string, unknown>;
        holder[last] = value;
        try {
          selectContext(parseKubeconfig(stringify(config), "/config"), undefined, "/config");
        } catch (error) {
          expect(error).toBeInstanceOf(CredentialsError);
        }
      }),
      { numRuns: 1_000 },
    );
  }, 120_000);
});

describe("mergeKubeconfigs", () => {
  const file = (context: string | undefined, server: string): Kubeconfig =>
    parseKubeconfig(
      stringify({
        ...(context === undefined ? {} : { "current-context": context }),
        clusters: [{ name: "c", cluster: { server } }],
      }),
      "/config",
    );

  it("takes each name, and the current context, from the first file that has it", () => {
    const merged = mergeKubeconfigs([
      file(undefined, "https://first"),
      file("x", "https://second"),
      file("y", "https://third"),
    ]);
    expect(merged.clusters.get("c")?.server).toBe("https://first");
    expect(merged.currentContext).toBe("x");
  });
});

describe("selectContext", () => {
  it("lists the contexts there are when the wanted one is missing", () => {
    const error = errorOf(() => selectContext(parseKubeconfig(stringify(valid), "/c"), "elsewhere", "/c"));
    expect(error).toMatchObject({ code: "ContextMissing" });
    expect(error.message).toBe('/c: there is no context "elsewhere"; choose another (it has "here")');
  });

  it.each([
    ["clusters", "ClusterMissing"],
    ["users", "UserMissing"],
  ])("says so when the context's %s entry is missing", (list, code) => {
    const error = errorOf(() =>
      selectContext(parseKubeconfig(stringify({ ...valid, [list]: [] }), "/c"), undefined, "/c"),
    );
    expect(error.code).toBe(code);
  });
});

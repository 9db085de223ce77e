import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiError } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../main.ts";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";
import { Collection } from "./collection.ts";
import { redactObject } from "./redact-object.ts";
import { tarGz } from "./tar.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bundle-"));
});
afterAll(() => rm(folder, { recursive: true }));

it("writes archives that tar reads, long paths and other alphabets included", async () => {
  const files = new Map([
    ["a/short.txt", "hello\n"],
    [`a/${"long".repeat(60)}/ü.txt`, "ü".repeat(1000)],
    ["a/empty", ""],
    ["a/block", "x".repeat(512)],
  ]);
  const archive = join(folder, "a.tar.gz");
  await writeFile(archive, tarGz(files, Date.UTC(2026, 0, 1)));
  execFileSync("tar", ["-xzf", archive, "-C", folder]);
  for (const [path, text] of files) expect(await readFile(join(folder, path), "utf8")).toBe(text);
  expect(
    execFileSync("tar", ["-tvzf", archive], { encoding: "utf8", env: { ...process.env, TZ: "UTC" } }),
  ).toMatch(/2026-01-01 00:00/);
});

import { lastBytes } from "./sources.ts";

describe("redactObject", () => {
  it("keeps what helps and hides what is nobody's business", () => {
    const pod = redactObject({
      kind: "Pod",
      metadata: {
        name: "p",
        managedFields: [{ manager: "hidden" }],
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": "hidden", kept: "yes" },
      },
      spec: {
        automountServiceAccountToken: false,
        containers: [
          {
            name: "c",
            env: [
              { name: "A", value: "hidden" },
              { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            ],
          },
        ],
      },
    });
    expect(pod).toEqual({
      kind: "Pod",
      metadata: { name: "p", annotations: { kept: "yes" } },
      spec: {
        automountServiceAccountToken: false,
        containers: [
          {
            name: "c",
            env: [
              { name: "A", value: "[redacted]" },
              { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            ],
          },
        ],
      },
    });
    for (const kind of ["Secret", "ConfigMap"]) {
      const object = { kind, metadata: { name: "s" }, data: { a: "hidden" }, stringData: { b: "hidden" } };
      expect(redactObject(object)).toEqual({ kind, metadata: { name: "s" } });
    }
    expect(redactObject(null)).toBeNull();
  });

  it("leaves what only sounds secret, however deep it is", () => {
    const selector = { matchExpressions: [{ key: "team", operator: "In", values: ["a"] }] };
    const deployment = {
      metadata: { name: "d" },
      spec: {
        template: {
          spec: {
            affinity: { nodeAffinity: { required: { nodeSelectorTerms: [selector] } } },
            tolerations: [{ key: "gpu" }],
            volumes: [
              { name: "v", secret: { secretName: "tls" } },
              { name: "w", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
            ],
            containers: [
              {
                securityContext: { capabilities: { drop: ["ALL"] } },
                env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
              },
            ],
          },
        },
      },
    };
    expect(redactObject(deployment)).toEqual(deployment);
    expect(redactObject({ metadata: {}, spec: { secret: "hidden", nested: { token: "hidden" } } })).toEqual({
      metadata: {},
      spec: { secret: "[redacted]", nested: { token: "[redacted]" } },
    });
  });
});

describe("a collection", () => {
  it("notes what the cluster refuses, goes on, and says so in the index", async () => {
    const collection = new Collection(() => undefined);
    const request = { verb: "list", resource: "leases" };
    const refuse = (code: number) => () => Promise.reject(new ApiError(request, code, { message: "no" }));
    expect(await collection.gather("leases", refuse(403))).toBeUndefined();
    expect(await collection.gather("kinds", refuse(404))).toBeUndefined();
    await expect(collection.gather("bug", () => Promise.reject(new TypeError("bug")))).rejects.toThrow("bug");
    collection.text("log", "a log", "Authorization: Bearer abcdefghijklmnop");
    const files = collection.finish("Head");
    expect([...files.keys()]).toEqual(["index.md", "index.json", "log"]);
    expect(files.get("index.md")).toMatch(/- leases: not allowed: .*\n- kinds: not there: /);
    expect(files.get("log")).toBe("Authorization: Bearer [redacted]");
    expect(JSON.parse(files.get("index.json")!).missing).toHaveLength(2);
    expect(new Collection(() => undefined).finish("Head").get("index.md")).toContain("Nothing.");
  });
});

it("refuses a duration that is none, and a cluster that does not answer", async () => {
  const run = async (...argv: string[]) => {
    const terminal = recordingTerminal();
    return { code: await main(["debug", "bundle", ...argv], terminal), stderr: terminal.stderr };
  };
  expect(await run("--since", "soon")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--since soon"),
  });
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:9" } }],
      users: [{ name: "u", user: {} }],
    }),
  );
  expect(await run("--kubeconfig", kubeconfig)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/127\.0\.0\.1:9/),
  });
});

describe("a log that is too long", () => {
  it("keeps its end, from the beginning of a line", () => {
    expect(lastBytes("one\ntwo\nthree\n", 9)).toBe("three\n");
    expect(lastBytes("one\n", 4)).toBe("one\n");
    expect(lastBytes("ä\nö\n", 4)).toBe("ö\n");
  });
});

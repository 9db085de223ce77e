import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { ManualClock } from "../clock/manual-clock.ts";
import type { Credentials } from "./credentials.ts";
import { CredentialsError } from "./credentials-error.ts";
import { inClusterCredentials } from "./in-cluster.ts";
import { loadCredentials } from "./load.ts";

let folder: string;
const clock = new ManualClock();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "credentials-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function kubeconfig(user: object, cluster: object = {}, name = "config"): Promise<string> {
  const path = join(folder, name);
  await writeFile(
    path,
    stringify({
      "current-context": "x",
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1", ...cluster } }],
      users: [{ name: "u", user }],
    }),
  );
  return path;
}

const load = (path: string | undefined, env: NodeJS.ProcessEnv = {}): Promise<Credentials> =>
  loadCredentials({ kubeconfig: path, clock, env: { HOME: folder, ...env } });

async function refusal(promise: Promise<unknown>): Promise<CredentialsError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CredentialsError);
  expect((error as Error).message).not.toContain("\n");
  return error as CredentialsError;
}

describe("loadCredentials", () => {
  it("says in one line what is missing", async () => {
    expect((await refusal(load(join(folder, "nope")))).message).toBe(
      `${folder}/nope does not exist; check the path`,
    );
    expect((await refusal(load(undefined))).code).toBe("NothingConfigured");
    const path = await kubeconfig({ "client-certificate": "me.crt", "client-key": "me.key" });
    expect((await refusal(load(path))).message).toMatch(/me\.(crt|key) does not exist/);
  });

  it.each([
    ["proxy-url", {}, { "proxy-url": "http://proxy" }, "Unsupported"],
    ["an auth-provider", { "auth-provider": { name: "gcp" } }, {}, "Unsupported"],
    ["a server that is no URL", {}, { server: "127.0.0.1:6443" }, "InvalidServer"],
    ["CA data that is not base64", {}, { "certificate-authority-data": "*" }, "InvalidData"],
    ["CA data that is not PEM", {}, { "certificate-authority-data": "aGVsbG8=" }, "InvalidData"],
    [
      "a CA beside insecure-skip-tls-verify",
      {},
      { "insecure-skip-tls-verify": true, "certificate-authority": "ca" },
      "InvalidData",
    ],
    ["a certificate without its key", { "client-certificate-data": "aGVsbG8=" }, {}, "InvalidData"],
    ["a token with a line break", { token: "a\nb" }, {}, "InvalidData"],
  ])("refuses %s", async (_what, user, cluster, code) => {
    expect((await refusal(load(await kubeconfig(user, cluster)))).code).toBe(code);
  });

  it("skips missing files in a list, and merges the others", async () => {
    const second = await kubeconfig({ token: "t" });
    const credentials = await load(undefined, { KUBECONFIG: `${folder}/missing:${second}` });
    expect(await credentials.current()).toMatchObject({ headers: { authorization: "Bearer t" } });
  });

  it("warns about insecure-skip-tls-verify, and sets it only then", async () => {
    const warned: string[] = [];
    const logger = {
      debug: () => {},
      info: () => {},
      error: () => {},
      warn: (_: object, text: string) => warned.push(text),
    };
    const path = await kubeconfig(
      { token: "t" },
      { "insecure-skip-tls-verify": true, "tls-server-name": "api" },
    );
    const credentials = await loadCredentials({ kubeconfig: path, logger, env: {} });
    expect((await credentials.current()).tls).toEqual({ insecureSkipVerify: true, serverName: "api" });
    expect(warned).toHaveLength(1);
    expect((await (await load(await kubeconfig({ token: "t" }))).current()).tls).toEqual({});
  });

  it("sends impersonation and basic authentication", async () => {
    const path = await kubeconfig({ username: "u", password: "p", as: "jane", "as-groups": ["dev"] });
    expect((await (await load(path)).current()).headers).toEqual({
      authorization: `Basic ${Buffer.from("u:p").toString("base64")}`,
      "impersonate-user": "jane",
      "impersonate-group": "dev",
    });
  });
});

describe("token files", () => {
  it("are read again after a minute, at once after a refusal, and kept while unreadable", async () => {
    const file = join(folder, "token");
    await writeFile(file, "one\n");
    const credentials = await load(await kubeconfig({ tokenFile: "token" }));
    const token = async (): Promise<string | undefined> =>
      (await credentials.current()).headers.authorization;
    const first = await credentials.current();
    expect(first.headers.authorization).toBe("Bearer one");

    await writeFile(file, "two");
    expect(await token()).toBe("Bearer one");
    clock.advance(60_001);
    expect(await token()).toBe("Bearer two");
    expect((await credentials.current()).tls).toBe(first.tls); // no reason to open new connections

    await writeFile(file, "three");
    await credentials.refresh();
    expect(await token()).toBe("Bearer three");

    await rm(file);
    clock.advance(60_001);
    expect(await token()).toBe("Bearer three");
    expect((await refusal(credentials.refresh())).code).toBe("FileMissing");
  });
});

describe("in the cluster", () => {
  it("the service account's files and the service's address are used", async () => {
    const account = join(folder, "account");
    await mkdir(account);
    await writeFile(join(account, "token"), "t1");
    await writeFile(join(account, "ca.crt"), testCa);
    await writeFile(join(account, "namespace"), "shieldx-system\n");
    const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    const credentials = await inClusterCredentials(clock, undefined, env, account);
    expect(credentials).toMatchObject({
      server: "https://[fd00::1]:443",
      namespace: "shieldx-system",
      source: "in-cluster",
    });
    const before = await credentials.current();
    expect(before).toMatchObject({ headers: { authorization: "Bearer t1" }, tls: { ca: testCa } });

    await writeFile(join(account, "ca.crt"), `${testCa}\n${testCa}`);
    clock.advance(60_001);
    expect((await credentials.current()).tls).not.toBe(before.tls);
  });

  it("it says so when this is no Pod", async () => {
    expect((await refusal(inClusterCredentials(clock, undefined, {}, folder))).code).toBe("NotInCluster");
  });
});

describe("exec plugins", () => {
  const plugin = async (script: string, extra: object = {}): Promise<string> => {
    await writeFile(join(folder, "login"), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, "login"), 0o755);
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "./login",
      interactiveMode: "Never",
      ...extra,
    };
    return kubeconfig({ exec });
  };
  const answer = (status: object): string =>
    JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status });

  const runs = async (): Promise<number> =>
    (await readFile(join(folder, "runs"), "utf8")).split("x").length - 1;

  it("are run once for many requests, again shortly before expiry, and at once after a refusal", async () => {
    const expiry = new Date(clock.now() + 600_000).toISOString();
    const path = await plugin(
      `echo x >> ${folder}/runs\ncat <<END\n${answer({ token: "TOKEN", expirationTimestamp: expiry })}\nEND`.replace(
        "TOKEN",
        `t$(wc -l < ${folder}/runs)`,
      ),
    );
    const credentials = await load(path);
    const token = async () => (await credentials.current()).headers.authorization;
    expect(await Promise.all([token(), token(), token()])).toEqual(["Bearer t1", "Bearer t1", "Bearer t1"]);
    await credentials.refresh();
    expect(await token()).toBe("Bearer t2");
    clock.advance(571_000);
    expect(await token()).toBe("Bearer t3");
  });

  it("that issue for a short time only are still not asked for every request", async () => {
    const expiry = new Date(clock.now() + 10_000).toISOString();
    const issued = answer({ token: "t", expirationTimestamp: expiry });
    const credentials = await load(await plugin(`echo x >> ${folder}/runs\ncat <<END\n${issued}\nEND`));
    for (let request = 0; request < 5; request++) await credentials.current();
    expect(await runs()).toBe(1);
    clock.advance(9_500);
    await credentials.current();
    expect(await runs()).toBe(2);
  });

  it("that fail are not asked again for each request while the previous credential is good", async () => {
    const expiry = new Date(clock.now() + 600_000).toISOString();
    const issued = answer({ token: "t", expirationTimestamp: expiry });
    const path = await plugin(
      `echo x >> ${folder}/runs; [ -e ${folder}/down ] && exit 1; cat <<END\n${issued}\nEND`,
    );
    const credentials = await load(path);
    await writeFile(join(folder, "down"), "");
    clock.advance(575_000); // it ought to be renewed by now, and is good for 25 s more
    for (let request = 0; request < 5; request++) {
      expect((await credentials.current()).headers.authorization).toBe("Bearer t");
    }
    expect(await runs()).toBe(2);
    clock.advance(5_001);
    await credentials.current();
    expect(await runs()).toBe(3);
  });

  it("are asked once when several requests with one credential were refused", async () => {
    const issued = answer({ token: "TOKEN" }).replace("TOKEN", `t$(wc -l < ${folder}/runs)`);
    const credentials = await load(await plugin(`echo x >> ${folder}/runs\ncat <<END\n${issued}\nEND`));
    const refused = await credentials.current();
    for (let request = 0; request < 5; request++) await credentials.refresh(refused);
    expect(await runs()).toBe(2);
  });

  it("are told about the cluster when they ask, with their own environment and arguments", async () => {
    const path = await plugin(
      `printf '%s' "$KUBERNETES_EXEC_INFO" > ${folder}/info; cat <<END\n${answer({ token: "TOKEN" })}\nEND`.replace(
        "TOKEN",
        "$GREETING-$1",
      ),
      { provideClusterInfo: true, env: [{ name: "GREETING", value: "hi" }], args: ["you"] },
    );
    expect((await (await load(path)).current()).headers.authorization).toBe("Bearer hi-you");
    const info: unknown = JSON.parse(
      await (await import("node:fs/promises")).readFile(join(folder, "info"), "utf8"),
    );
    expect(info).toEqual({
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      spec: { interactive: false, cluster: { server: "https://127.0.0.1:1" } },
    });
  });

  it.each([
    ["exit 3", {}, "ExecFailed", /failed \(3\)/],
    ["echo denied >&2; exit 1", {}, "ExecFailed", /denied/],
    ["echo hello", {}, "ExecMalformed", /not JSON/],
    ["echo '{}'", {}, "ExecMalformed", /kind/],
    [`echo '${answer({})}'`, {}, "ExecMalformed", /neither/],
    [`echo '${answer({ token: 1 })}'`, {}, "ExecMalformed", /not a string/],
    [`echo '${answer({ token: "t", clientKeyData: "k" })}'`, {}, "ExecMalformed", /together/],
    [`echo '${answer({ token: "t", expirationTimestamp: "soon" })}'`, {}, "ExecMalformed", /not a time/],
    [
      "true",
      { command: "no-such-plugin", installHint: "get it at example.org" },
      "ExecFailed",
      /get it at example.org/,
    ],
    ["true", { apiVersion: "client.authentication.k8s.io/v1alpha1" }, "Unsupported", /v1alpha1/],
    ["true", { interactiveMode: "Always" }, "ExecFailed", /terminal/],
  ])("that misbehave (%s, %j) are reported in one line", async (script, extra, code, message) => {
    const error = await refusal(load(await plugin(script, extra)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

// A certificate made for this test; it signs nothing.
const testCa = await (async () => {
  const { execFileSync } = await import("node:child_process");
  return execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      "/dev/null",
      "-days",
      "1",
      "-subj",
      "/CN=test",
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
})();

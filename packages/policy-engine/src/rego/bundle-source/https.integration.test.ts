/** A bundle source against a real HTTPS server on loopback, with bundles of OPA's own command where there is Go. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { selfSignedCertificate } from "../../../testing/cel-oracle/self-signed.ts";
import { builtOpa } from "../../../testing/opa.ts";
import { bundleOf } from "../bundle/bundle.test-kit.ts";
import { bundleVerifier } from "../bundle/verifier.ts";
import {
  type BundleCredentials,
  BundleSource,
  type BundleSourceOptions,
  type BundleStatus,
  bundleFolder,
} from "./index.ts";

const { certificatePem, privateKeyPem } = selfSignedCertificate("127.0.0.1", Date.now());
const token = "a-token-nobody-may-read";
const secret = "0123456789abcdef0123456789abcdef";
const longPollType = "application/vnd.openpolicyagent.bundles";
const opa = await builtOpa();

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let seen: IncomingMessage[] = [];
let folder: string;
const running: BundleSource[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldx-source-"));
  server = createServer(
    {
      cert: certificatePem,
      key: privateKeyPem,
      ca: certificatePem,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      seen.push(request);
      answer(request, response);
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(async (source) => await source.stop()));
  seen = [];
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const address = (path = "/shop.tar.gz") =>
  `https://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
const credentials = (): BundleCredentials => ({ ca: certificatePem, bearerToken: token });

function start(options: Partial<BundleSourceOptions> = {}) {
  const statuses: BundleStatus[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let wanted: ((status: BundleStatus) => boolean) | undefined;
  const source = new BundleSource({
    url: address(),
    credentials,
    polling: { minDelayMs: 1_000, maxDelayMs: 1_000 },
    onStatus: (status) => {
      statuses.push(status);
      if (wanted?.(status)) resolve();
    },
    ...options,
  });
  running.push(source);
  source.start();
  /** Waits for a status, be it one that was. */
  const until = async (wants: (status: BundleStatus) => boolean): Promise<BundleStatus> => {
    wanted = wants;
    if (!statuses.some(wants)) await promise;
    return source.status;
  };
  return { source, statuses, until };
}

const send = (response: ServerResponse, bytes: Uint8Array, etag: string, type = "application/gzip") => {
  response.writeHead(200, { ETag: etag, "Content-Type": type }).end(bytes);
};
const first = bundleOf({ ".manifest": { revision: "1" } });
const second = bundleOf({ ".manifest": { revision: "2" } });

describe("a source over HTTPS", () => {
  it("asks as OPA asks, and waits for news by long polling", async () => {
    let waiting: ServerResponse | undefined;
    answer = (request, response) => {
      if (request.headers["if-none-match"] === undefined) send(response, first, '"1"', longPollType);
      else if (request.headers["if-none-match"] === '"1"') waiting = response;
      // Held: the source is stopped while it waits.
    };
    const { until, source } = start({
      polling: { minDelayMs: 1_000, maxDelayMs: 1_000, longPollSeconds: 60 },
    });
    await until(({ revision }) => revision === "1");
    await expect.poll(() => waiting, { timeout: 20_000 }).toBeDefined();
    send(waiting!, second, '"2"', longPollType);
    await expect.poll(() => source.current?.manifest.revision, { timeout: 20_000 }).toBe("2");
    const [initial, waited] = seen.map(({ headers }) => headers);
    expect(initial).toMatchObject({ prefer: "modes=snapshot", authorization: `Bearer ${token}` });
    expect(waited?.prefer).toBe("modes=snapshot,delta;wait=60");
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(3);
    await source.stop();
    expect(source.status.problem).toBeUndefined();
  });

  it("takes 304 for good news", async () => {
    answer = (request, response) => {
      if (request.headers["if-none-match"] === '"1"') response.writeHead(304).end();
      else send(response, first, '"1"');
    };
    const { source, statuses } = start();
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
    await expect
      .poll(() => new Set(statuses.map(({ lastSuccessAt }) => lastSuccessAt)).size, { timeout: 20_000 })
      .toBeGreaterThan(2);
    expect(source.status).toMatchObject({ revision: "1", problem: undefined });
  });

  it("shows a client certificate where it has one", async () => {
    answer = (request, response) => {
      const isKnown = (request.socket as unknown as { authorized: boolean }).authorized;
      if (isKnown) send(response, first, '"1"');
      else response.writeHead(403).end();
    };
    const { until } = start({
      credentials: () => ({ ca: certificatePem, certificate: certificatePem, privateKey: privateKeyPem }),
    });
    await until(({ revision }) => revision === "1");
  });

  it("follows redirects on the same host only", async () => {
    answer = (request, response) => {
      const to = request.url === "/shop.tar.gz" ? "/moved.tar.gz" : undefined;
      if (to === undefined) send(response, first, '"1"');
      else response.writeHead(307, { Location: to }).end();
    };
    await start().until(({ revision }) => revision === "1");
    for (const location of [
      "https://localhost:1/x",
      address().replace("https:", "http:"),
      "https://127.0.0.1:1/x",
      "::",
      undefined,
    ]) {
      answer = (_request, response) =>
        response.writeHead(302, location === undefined ? {} : { Location: location }).end();
      const status = await start().until(({ problem }) => problem !== undefined);
      expect(status.problem?.code).toBe("REDIRECT_REFUSED");
    }
  });

  it.each<[string, () => Partial<BundleSourceOptions>, (response: ServerResponse) => void, string, string]>([
    [
      "a wrong token",
      () => ({}),
      (response) => response.writeHead(401).end(token),
      "REFUSED_BY_SERVER",
      "answers 401: check the token",
    ],
    [
      "a missing bundle",
      () => ({}),
      (response) => response.writeHead(404).end(),
      "REFUSED_BY_SERVER",
      "answers 404: check the bundle's url",
    ],
    [
      "a page instead of a bundle",
      () => ({}),
      (response) => response.writeHead(200).end("<html>"),
      "INVALID_ARCHIVE",
      "no gzip archive",
    ],
    [
      "an answer without end",
      () => ({ limits: { compressedBytes: 1_000 } }),
      (response) => {
        const more = () => {
          if (!response.destroyed) response.write(Buffer.alloc(100_000), () => setImmediate(more));
        };
        response.writeHead(200);
        more();
      },
      "TOO_LARGE",
      "sends more than 1000 bytes",
    ],
    [
      "an answer that breaks off",
      () => ({}),
      (response) => {
        response.writeHead(200, { "Content-Length": "1000" });
        response.write("x", () => response.destroy());
      },
      "REQUEST_FAILED",
      "cannot be reached",
    ],
    [
      "redirects in circles",
      () => ({}),
      (response) => response.writeHead(302, { Location: "/again" }).end(),
      "REDIRECT_REFUSED",
      "more than 5 times",
    ],
    [
      "an unknown authority",
      () => ({ credentials: () => ({ bearerToken: token }) }),
      (response) => response.end(),
      "REQUEST_FAILED",
      "self-signed",
    ],
    [
      "a token with line ends",
      () => ({ credentials: () => ({ ca: certificatePem, bearerToken: `${token}\n` }) }),
      (response) => response.end(),
      "INVALID_SOURCE",
      "cannot be used",
    ],
    [
      "a broken client key",
      () => ({ credentials: () => ({ ca: certificatePem, certificate: certificatePem, privateKey: token }) }),
      (response) => response.end(),
      "INVALID_SOURCE",
      "cannot be used",
    ],
  ])("says what is wrong with %s, without the token", async (_what, options, respond, code, message) => {
    answer = (_request, response) => respond(response);
    const { until, statuses } = start(options());
    const status = await until(({ problem }) => problem !== undefined);
    expect(status.problem?.code).toBe(code);
    expect(status.problem?.message).toContain(message);
    expect(JSON.stringify(statuses)).not.toContain(token);
  });

  it("says when nobody listens", async () => {
    const { until } = start({ url: "https://127.0.0.1:1/x" });
    expect((await until(({ problem }) => problem !== undefined)).problem).toMatchObject({
      code: "REQUEST_FAILED",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it.skipIf(opa === undefined)(
    "serves signed bundles of OPA, and what it kept of them when the server is gone",
    async () => {
      const sources = join(folder, "sources");
      await mkdir(sources);
      await writeFile(join(sources, "x.rego"), "package shop\n\nallow := true\n");
      await writeFile(join(sources, "data.json"), '{"limits": {"a": 1}}');
      const output = join(folder, "bundle.tar.gz");
      await promisify(execFile)(opa!, [
        ...["build", "--bundle", sources, "--output", output, "--revision", "r1"],
        ...["--signing-key", secret, "--signing-alg", "HS256"],
      ]);
      const bytes = await readFile(output);
      answer = (_request, response) => send(response, bytes, '"1"');
      const options = {
        verifier: bundleVerifier({ keys: { main: { key: secret, algorithm: "HS256" } } }),
        store: bundleFolder(join(folder, "kept")),
      };
      const one = start(options);
      await one.until(({ lastSuccessAt }) => lastSuccessAt !== undefined);
      await one.source.stop();
      answer = (_request, response) => response.writeHead(503).end();
      const two = start(options);
      await two.until(({ problem }) => problem?.code === "REFUSED_BY_SERVER");
      expect(two.source.status).toMatchObject({ revision: "r1", isFromDisk: true });
      expect(two.source.current?.modules[0]?.package).toEqual(["shop"]);
      expect(seen.at(-1)?.headers["if-none-match"]).toBe('"1"');
    },
  );
});

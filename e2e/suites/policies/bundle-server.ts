// A server of OPA bundles on loopback, and bundles that OPA's own command builds and signs.
import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { selfSignedCertificate } from "../../../packages/policy-engine/testing/cel-oracle/self-signed.ts";
import { builtOpa } from "../../../packages/policy-engine/testing/opa.ts";

const run = promisify(execFile);

export const bundleToken = "a-token-nobody-may-read";

/** Answers every path with the bundle there is, to who has the token. */
export class BundleServer implements AsyncDisposable {
  readonly certificatePem: string;
  readonly #server: Server;
  /** undefined: there is none. */
  bundle: Uint8Array | undefined;
  /** While false, connections are broken off. */
  isUp = true;
  asked = 0;

  constructor() {
    const { certificatePem, privateKeyPem } = selfSignedCertificate("127.0.0.1", Date.now());
    this.certificatePem = certificatePem;
    this.#server = createServer({ cert: certificatePem, key: privateKeyPem }, (request, response) => {
      this.asked++;
      if (!this.isUp) return void request.destroy();
      if (request.headers.authorization !== `Bearer ${bundleToken}`)
        return void response.writeHead(401).end();
      if (this.bundle === undefined) return void response.writeHead(404).end();
      const etag = `"${createHash("sha256").update(this.bundle).digest("hex")}"`;
      if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
      response.writeHead(200, { etag, "content-type": "application/gzip" }).end(this.bundle);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  url(name = "shop"): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${name}.tar.gz`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Builds bundles with OPA, signed by a key of its own. */
export class BundleBuilder implements AsyncDisposable {
  readonly #opa: string;
  readonly #folder: string;
  readonly publicKeyPem: string;

  private constructor(opa: string, folder: string, publicKeyPem: string) {
    this.#opa = opa;
    this.#folder = folder;
    this.publicKeyPem = publicKeyPem;
  }

  /** undefined where OPA cannot be built. */
  static async open(): Promise<BundleBuilder | undefined> {
    const opa = await builtOpa();
    if (opa === undefined) return undefined;
    const folder = await mkdtemp(join(tmpdir(), "shieldx-bundles-"));
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    return new BundleBuilder(opa, folder, publicKey.export({ type: "spki", format: "pem" }).toString());
  }

  async build(
    files: Readonly<Record<string, string>>,
    { isSigned = true, args = [] }: { isSigned?: boolean; args?: readonly string[] } = {},
  ): Promise<Uint8Array> {
    const sources = await mkdtemp(join(this.#folder, "sources-"));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(sources, name)), { recursive: true });
      await writeFile(join(sources, name), content);
    }
    const output = `${sources}.tar.gz`;
    const signing = isSigned
      ? ["--signing-key", join(this.#folder, "key.pem"), "--signing-alg", "ES256"]
      : [];
    await run(this.#opa, ["build", "--bundle", sources, "--output", output, ...signing, ...args]);
    return await readFile(output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

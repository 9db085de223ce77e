/** One bundle over HTTPS on loopback, the same for ever. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { generateCa, issueLeaf } from "@shieldx/pki";

const lifetimeMs = 86_400_000;
const etag = '"one"';

export interface OneBundle extends AsyncDisposable {
  readonly url: string;
  readonly caPem: string;
}

export async function startBundleServer(file: string): Promise<OneBundle> {
  const now = Date.now();
  const ca = await generateCa({ commonName: "bench", now, lifetimeMs });
  const { certificatePem: cert, privateKeyPem: key } = await issueLeaf({
    ...{ ca, dnsNames: [], ipAddresses: ["127.0.0.1"], now, lifetimeMs },
  });
  const server = createServer({ cert, key }, (request, response) => {
    if (request.headers["if-none-match"] === etag) {
      response.writeHead(304).end();
      return;
    }
    response.writeHead(200, { "content-type": "application/gzip", etag });
    createReadStream(file).pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}/bundle.tar.gz`,
    caPem: ca.certificatePem,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

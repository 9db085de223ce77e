import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "@shieldx/e2e/cluster";
import { parse } from "yaml";
import { type Client, type KubeObject, ServiceAccount } from "../../index.ts";

/** By so much the API server's clock may differ from the issuer's: it accepts a token for a minute longer. */
const leewaySeconds = 60;

/**
 * Signs tokens of a ServiceAccount as the API server does, for a few seconds instead of its least ten minutes. A
 * server that has accepted one remembers that for ten seconds.
 */
export class TokenIssuer {
  readonly #key: string;
  readonly #account: KubeObject;

  private constructor(key: string, account: KubeObject) {
    this.#key = key;
    this.#account = account;
  }

  static async of(cluster: Cluster, client: Client, namespace: string, name: string): Promise<TokenIssuer> {
    const key = await readFile(join(cluster.dir, "pki", "service-account.key"), "utf8");
    return new TokenIssuer(key, await client.get(ServiceAccount, { namespace, name }));
  }

  issue(seconds: number): string {
    const { name, namespace, uid } = this.#account.metadata;
    const issuedAt = Math.floor(Date.now() / 1000) - 2 * leewaySeconds;
    const audience = "https://kubernetes.default.svc";
    const claims = {
      iss: audience,
      aud: [audience],
      sub: `system:serviceaccount:${namespace}:${name}`,
      jti: randomUUID(),
      iat: issuedAt,
      nbf: issuedAt,
      exp: Math.floor(Date.now() / 1000) + seconds - leewaySeconds,
      "kubernetes.io": { namespace, serviceaccount: { name, uid } },
    };
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
    const unsigned = `${encode({ alg: "ES256" })}.${encode(claims)}`;
    const key = createPrivateKey(this.#key);
    const signature = sign("sha256", Buffer.from(unsigned), { key, dsaEncoding: "ieee-p1363" });
    return `${unsigned}.${signature.toString("base64url")}`;
  }
}

/** A client certificate of a user that is good for some seconds, signed by the cluster's CA. */
export async function clientCertificate(
  cluster: Cluster,
  commonName: string,
  seconds: number,
): Promise<{ certificate: string; key: string }> {
  const path = await cluster.clientKubeconfig({ commonName, organizations: [], lifetimeMs: seconds * 1000 });
  const { users } = parse(await readFile(path, "utf8")) as {
    users: { user: { "client-certificate-data": string; "client-key-data": string } }[];
  };
  const [entry] = users;
  if (entry === undefined) throw new Error(`${path} has no user`);
  const decode = (data: string): string => Buffer.from(data, "base64").toString("utf8");
  return {
    certificate: decode(entry.user["client-certificate-data"]),
    key: decode(entry.user["client-key-data"]),
  };
}

/** Replaces a file in one step, as the kubelet and cert-manager do. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

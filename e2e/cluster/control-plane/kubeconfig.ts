/** Kubeconfig files with everything inside, so that they can be copied elsewhere. Written as JSON, which is YAML. */
import { writeFile } from "node:fs/promises";
import type { KeyPairPem } from "./certificates.ts";

export type KubeconfigUser =
  | { readonly kind: "certificate"; readonly pair: KeyPairPem }
  | { readonly kind: "token"; readonly token: string };

export interface KubeconfigFields {
  readonly cluster: string;
  readonly server: string;
  readonly caPem: string;
  readonly userName: string;
  readonly user: KubeconfigUser;
  readonly namespace?: string;
}

export function kubeconfigText(fields: KubeconfigFields): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const user =
    fields.user.kind === "token"
      ? { token: fields.user.token }
      : {
          "client-certificate-data": base64(fields.user.pair.certificate),
          "client-key-data": base64(fields.user.pair.key),
        };
  const context = {
    cluster: fields.cluster,
    user: fields.userName,
    ...(fields.namespace === undefined ? {} : { namespace: fields.namespace }),
  };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: fields.cluster,
        cluster: { server: fields.server, "certificate-authority-data": base64(fields.caPem) },
      },
    ],
    users: [{ name: fields.userName, user }],
    contexts: [{ name: fields.cluster, context }],
    "current-context": fields.cluster,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Readable by this user only: it holds a key or a token. */
export async function writeKubeconfig(path: string, fields: KubeconfigFields): Promise<string> {
  await writeFile(path, kubeconfigText(fields), { mode: 0o600 });
  return path;
}

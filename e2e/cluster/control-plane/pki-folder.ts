/** Writes the authorities and certificates of a cluster where the flags expect them. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  Authority,
  apiServerNames,
  type KeyPairPem,
  type Subject,
  serviceAccountKeys,
  type Usage,
} from "./certificates.ts";
import { clusterDomain, kubernetesServiceAddress } from "./flags.ts";

export interface PkiFolder {
  readonly path: string;
  readonly authority: Authority;
  readonly admin: KeyPairPem;
}

/**
 * One serving certificate serves all API servers, with the names and addresses of each.
 * `controlAddress` is where etcd and the controllers listen.
 */
export async function createPkiFolder(
  path: string,
  serverAddresses: readonly string[],
  controlAddress: string,
): Promise<PkiFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const [authority, etcd, frontProxy] = await Promise.all([
    Authority.create("kubernetes"),
    Authority.create("etcd"),
    Authority.create("front-proxy"),
  ]);
  const control = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1", controlAddress] };
  const certificates: [file: string, authority: Authority, subject: Subject, usage: Usage][] = [
    [
      "apiserver",
      authority,
      {
        commonName: "kube-apiserver",
        ...apiServerNames(clusterDomain, kubernetesServiceAddress, serverAddresses),
      },
      "server",
    ],
    [
      "apiserver-kubelet-client",
      authority,
      { commonName: "kube-apiserver-kubelet-client", organizations: ["system:masters"] },
      "client",
    ],
    ["kube-controller-manager", authority, { commonName: "kube-controller-manager", ...control }, "server"],
    ["kube-scheduler", authority, { commonName: "kube-scheduler", ...control }, "server"],
    ["etcd", etcd, { commonName: "etcd", ...control }, "both"],
    ["apiserver-etcd-client", etcd, { commonName: "kube-apiserver" }, "client"],
    ["front-proxy-client", frontProxy, { commonName: "front-proxy-client" }, "client"],
  ];
  const accounts = serviceAccountKeys();
  const admin = authority.issue(
    { commonName: "kubernetes-admin", organizations: ["system:masters"] },
    "client",
  );
  await Promise.all([
    ...certificates.map(async ([file, issuer, subject, usage]) =>
      writePair(join(path, file), await issuer.issue(subject, usage)),
    ),
    writePair(join(path, "ca"), { certificate: authority.certificatePem, key: authority.keyPem }),
    writeFile(join(path, "etcd-ca.crt"), etcd.certificatePem),
    writeFile(join(path, "front-proxy-ca.crt"), frontProxy.certificatePem),
    writeFile(join(path, "service-account.pub"), accounts.publicKey),
    writeFile(join(path, "service-account.key"), accounts.privateKey, { mode: 0o600 }),
  ]);
  return { path, authority, admin: await admin };
}

/** Writes `<stem>.crt` and `<stem>.key`. */
export async function writePair(
  stem: string,
  pair: KeyPairPem,
): Promise<{ certFile: string; keyFile: string }> {
  const files = { certFile: `${stem}.crt`, keyFile: `${stem}.key` };
  await writeFile(files.certFile, pair.certificate);
  await writeFile(files.keyFile, pair.key, { mode: 0o600 });
  return files;
}

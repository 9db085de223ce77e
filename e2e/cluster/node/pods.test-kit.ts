/** Pods for the tests of this folder. */
import { busyboxImage } from "../image/node-images.ts";
import type { CommandResult } from "../types.ts";

export interface Kubectl {
  kubectl(args: readonly string[], options?: { readonly input?: string }): Promise<CommandResult>;
}

export interface PodOptions {
  readonly name: string;
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly runtimeClassName?: string;
  readonly image?: string;
  readonly command?: readonly string[];
}

/** Unless told otherwise the Pod answers HTTP on port 8080 with its own name. */
export function testPod(options: PodOptions): object {
  const serve =
    'mkdir -p /tmp/www && hostname > /tmp/www/index.html && echo "serving" && exec httpd -f -p 8080 -h /tmp/www';
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: options.name, labels: options.labels ?? { app: options.name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      ...(options.node === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": options.node } }),
      ...(options.runtimeClassName === undefined ? {} : { runtimeClassName: options.runtimeClassName }),
      containers: [
        {
          name: "main",
          image: options.image ?? busyboxImage,
          imagePullPolicy: "Never",
          ...(options.image !== undefined && options.command === undefined
            ? {}
            : { command: options.command ?? ["sh", "-c", serve] }),
        },
      ],
    },
  };
}

/** Standard output of a kubectl that has to succeed. */
export async function kubectl(cluster: Kubectl, args: readonly string[], input?: object): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(
    args,
    input === undefined ? {} : { input: JSON.stringify(input) },
  );
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

/** Creates the objects and waits until the Pods among them are Ready. */
export async function createReady(cluster: Kubectl, objects: readonly object[]): Promise<void> {
  await kubectl(cluster, ["create", "-f", "-"], { apiVersion: "v1", kind: "List", items: objects });
  const names = objects.flatMap((object) =>
    "kind" in object && object.kind === "Pod" && "metadata" in object
      ? [`pod/${(object.metadata as { name: string }).name}`]
      : [],
  );
  if (names.length > 0) {
    await kubectl(cluster, ["wait", "--for=condition=Ready", "--timeout=60s", ...names]);
  }
}

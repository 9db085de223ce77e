import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../index.ts";
import { loadImage } from "../node/index.ts";
import { kubectl } from "../node/pods.test-kit.ts";
import { buildShieldxImage, type ShieldxImage } from "./shieldx.ts";

let cluster: Cluster;
let image: ShieldxImage;

beforeAll(async () => {
  image = await buildShieldxImage();
  cluster = await startCluster({ nodes: 1 });
  const began = performance.now();
  await loadImage(cluster, image.archive);
  console.log(`the image is on the node after ${Math.round(performance.now() - began)} ms`);
  await kubectl(cluster, ["create", "namespace", "strict"]);
  await kubectl(cluster, [
    "label",
    "namespace",
    "strict",
    "pod-security.kubernetes.io/enforce=restricted",
    "pod-security.kubernetes.io/enforce-version=latest",
  ]);
});

afterAll(async () => {
  await cluster?.stop();
});

describe("the ShieldX image", () => {
  it("has the same digest every time", async () => {
    expect(await buildShieldxImage()).toEqual(image);
  });

  it.each([
    { args: ["--help"], said: /operator[\s\S]*webhooks/ },
    { args: ["operator", "--help"], said: /--webhook-url/ },
    { args: ["webhooks", "--help"], said: /--probe-bind-address/ },
  ])("runs $args under Pod Security restricted with a read-only root", async ({ args, said }) => {
    const name = `shieldx-${args.join("").replaceAll("-", "")}`;
    await kubectl(cluster, ["create", "-f", "-"], {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "strict" },
      spec: {
        restartPolicy: "Never",
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "shieldx",
            image: image.name,
            imagePullPolicy: "Never",
            args,
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            },
          },
        ],
      },
    });
    const pod = ["--namespace", "strict", `pod/${name}`];
    await kubectl(cluster, ["wait", ...pod, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s"]);
    expect(await kubectl(cluster, ["logs", ...pod])).toMatch(said);
  });
});

import { expect, it } from "vitest";
import { mutatedPod, readUpstreamFixtures } from "../../testing/index.ts";
import { evaluatePodSecurity } from "./evaluate.ts";
import { judgedParts } from "./judged-parts.ts";
import { extractPodSpec } from "./workload.ts";

const fixtures = await readUpstreamFixtures();

it("is judged as the whole, for every fixture and for changed ones, as a Pod and as templates", () => {
  const pods = fixtures.map(({ pod, level, version }) => ({
    metadata: pod.metadata,
    spec: pod.spec,
    level,
    version,
  }));
  for (let seed = 0; seed < 3_000; seed++) {
    const { podMetadata, podSpec, level, version } = mutatedPod(fixtures, seed);
    pods.push({ metadata: podMetadata, spec: podSpec, level, version: version as `v1.${number}` } as never);
  }
  let refused = 0;
  for (const { metadata, spec, level, version } of pods) {
    const whole = evaluatePodSecurity({ level, version, metadata, spec });
    if (!whole.allowed) refused++;
    for (const object of [
      { apiVersion: "v1", kind: "Pod", metadata, spec, status: { phase: "Running" } },
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: {},
        spec: { replicas: 3, template: { metadata, spec } },
      },
      { apiVersion: "v1", kind: "PodTemplate", metadata: {}, template: { metadata, spec } },
      {
        apiVersion: "batch/v1",
        kind: "CronJob",
        spec: { jobTemplate: { spec: { template: { metadata, spec } } } },
      },
    ]) {
      const parts = extractPodSpec(judgedParts(object));
      expect(evaluatePodSecurity({ level, version, metadata: parts?.metadata, spec: parts?.spec })).toEqual(
        whole,
      );
    }
  }
  expect(refused).toBeGreaterThan(2_000);
});

it("leaves what cannot offend behind", () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", labels: { app: "a" }, annotations: { note: "long" } },
    spec: {
      nodeName: "n",
      volumes: [{ name: "v", configMap: { name: "c", items: [{ key: "k", path: "p" }] } }],
      containers: [
        {
          name: "c",
          image: "i",
          env: [{ name: "A", value: "B" }],
          readinessProbe: { httpGet: { path: "/", host: "h" } },
        },
      ],
    },
    status: { phase: "Running" },
  };
  expect(judgedParts(pod)).toEqual({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", labels: { app: "a" }, annotations: {} },
    spec: {
      volumes: [{ name: "v", configMap: {} }],
      containers: [{ name: "c", readinessProbe: { httpGet: { host: "h" } } }],
    },
  });
});

it("keeps misshapen parts, which are offences of their own", () => {
  const spec = {
    containers: [{ name: 1, ports: "x", lifecycle: [], livenessProbe: 3 }],
    volumes: [null, { name: "v", nfs: 1 }],
  };
  const object = { apiVersion: "v1", kind: "Pod", metadata: { annotations: { a: 1 } }, spec };
  expect(judgedParts(object)).toEqual(object);
  expect(judgedParts({ kind: "Service", spec: 1 })).toEqual({ kind: "Service", spec: 1 });
});

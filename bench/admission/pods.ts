import type { Manifest } from "../../e2e/shieldx/objects.ts";

/** A Pod as people write them, about 3 kB when the API server has filled in its defaults; it keeps every rule of `restricted`. */
export function typicalPod(name: string): Manifest {
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  };
  const probe = (path: string) => ({
    httpGet: { path, port: "http" },
    periodSeconds: 5,
    failureThreshold: 3,
  });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      labels: { "app.kubernetes.io/name": "shop", "app.kubernetes.io/component": "web", tier: "frontend" },
      annotations: { "prometheus.io/scrape": "true", "prometheus.io/port": "9090" },
    },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      initContainers: [
        { name: "migrate", image: "docker.io/local/shop:1.4.2", args: ["migrate"], securityContext },
      ],
      containers: [
        {
          name: "web",
          image: "docker.io/local/shop:1.4.2",
          ports: [
            { name: "http", containerPort: 8080 },
            { name: "metrics", containerPort: 9090 },
          ],
          env: [
            { name: "LOG_LEVEL", value: "info" },
            { name: "DATABASE_HOST", value: "postgres.shop.svc" },
            { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
            { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "shop", key: "password" } } },
          ],
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
          livenessProbe: probe("/healthz"),
          readinessProbe: probe("/readyz"),
          securityContext,
          volumeMounts: [
            { name: "config", mountPath: "/etc/shop", readOnly: true },
            { name: "tmp", mountPath: "/tmp" },
          ],
        },
        {
          name: "proxy",
          image: "docker.io/local/proxy:2.1.0",
          args: ["--listen=:8443", "--upstream=127.0.0.1:8080"],
          ports: [{ name: "https", containerPort: 8443 }],
          resources: { requests: { cpu: "50m", memory: "64Mi" } },
          securityContext,
        },
      ],
      volumes: [
        { name: "config", configMap: { name: "shop" } },
        { name: "tmp", emptyDir: {} },
      ],
    },
  };
}

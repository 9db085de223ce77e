import { Gauge, type Registry } from "prom-client";

/** `shieldx_build_info`: which version of what runs. */
export function registerBuildInfo(registry: Registry, component: string, version: string): void {
  const info = new Gauge({
    name: "shieldx_build_info",
    help: "1; the labels say which version of which process this is",
    labelNames: ["component", "version", "node"] as const,
    registers: [registry],
  });
  info.set({ component, version, node: process.versions.node }, 1);
}

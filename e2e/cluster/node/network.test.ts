import { describe, expect, it } from "vitest";
import { linksOf, overlapsRoutes } from "./network.ts";
import { planNetwork } from "./plan.ts";

describe("linksOf", () => {
  const links = [
    "1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue state UNKNOWN",
    "7: sx-abc123: <BROADCAST,MULTICAST,UP> mtu 1500\\    altname shieldx-network-3",
    "8: sx-abc123-1@if2: <BROADCAST,MULTICAST,UP> mtu 1500 master sx-abc123",
    "9: sx-abc124: <BROADCAST,MULTICAST,UP> mtu 1500",
    "10: sx-abc124-1@if2: <BROADCAST,MULTICAST,UP> mtu 1500 master sx-abc124",
    "11: docker0: <BROADCAST> mtu 1500",
  ].join("\n");

  it("names the cluster's cables, then its bridge, and nobody else's", () => {
    expect(linksOf("sx-abc123", links)).toEqual(["sx-abc123-1", "sx-abc123"]);
  });

  it("names nothing when nothing is left", () => {
    expect(linksOf("sx-zzzzzz", links)).toEqual([]);
  });
});

describe("overlapsRoutes", () => {
  const plan = planNetwork("abc123", 2, { nodes: 1, apiServers: 1 });

  it.each([
    "198.19.16.0/24 dev sx-other0 proto kernel scope link src 198.19.16.1",
    "198.19.20.0/24 via 198.19.16.11 dev sx-other0",
    "local 198.19.23.7 dev lo table local proto kernel scope host src 198.19.23.7",
  ])("sees that %s leads into the plan's ranges", (route) => {
    expect(overlapsRoutes(plan, route)).toBe(true);
  });

  it.each([
    "default via 192.0.2.1 dev eth0",
    "198.19.24.0/24 dev sx-other0",
    "10.198.19.16 dev eth0",
    "172.16.0.0/12 via 198.19.16.9 dev eth0",
  ])("does not mind %s", (route) => {
    expect(overlapsRoutes(plan, route)).toBe(false);
  });
});

/**
 * Addresses on the loopback interface. An API server may not publish 127.0.0.0/8 in the `kubernetes` EndpointSlice, so
 * with root each server gets an address of 198.18.0.0/15 (set aside for benchmarks, RFC 2544, routed nowhere) on `lo`:
 * reachable from this machine only, and distinct, which the master leases of several servers need.
 */
import { randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { runCommand } from "./command.ts";
import { ClusterError } from "./errors.ts";

/** A random address of 198.18.0.0/15 that no interface has. */
export function pickLoopbackAddress(
  taken: ReadonlySet<string>,
  random: (max: number) => number = randomInt,
): string {
  for (;;) {
    const address = `198.${18 + random(2)}.${random(256)}.${1 + random(254)}`;
    if (!taken.has(address)) return address;
  }
}

export function localAddresses(): Set<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address)),
  );
}

/** Whether this process may add addresses to `lo`: root on Linux with iproute2. */
export async function canAddLoopbackAddress(): Promise<boolean> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  return (await runCommand("ip", ["-Version"])).code === 0;
}

export async function addLoopbackAddress(address: string): Promise<void> {
  const { code, stderr } = await runCommand("ip", ["address", "add", `${address}/32`, "dev", "lo"]);
  if (code !== 0) {
    throw new ClusterError("COMMAND_FAILED", `ip address add ${address}/32 dev lo: ${stderr.trim()}`);
  }
}

/** Idempotent: an address that is not there any more is fine. */
export async function removeLoopbackAddress(address: string): Promise<void> {
  const { code, stderr } = await runCommand("ip", ["address", "del", `${address}/32`, "dev", "lo"]);
  if (code !== 0 && localAddresses().has(address)) {
    throw new ClusterError("COMMAND_FAILED", `ip address del ${address}/32 dev lo: ${stderr.trim()}`);
  }
}

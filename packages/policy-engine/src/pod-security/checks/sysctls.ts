import type { Judge, PodSecurityCheck } from "../check.ts";

const until26 = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_syncookies",
];
const since27 = [...until26, "net.ipv4.ip_local_reserved_ports"];
const since29 = [
  ...since27,
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
];
const since32 = [...since29, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"];
const since37 = [...since32, "net.ipv4.tcp_notsent_lowat", "net.ipv4.tcp_slow_start_after_idle"];

/**
 * Kernel settings only where they stay inside the Pod's own namespaces; the list grew with the kernel versions
 * the kubelet may count on.
 * Pod Security Standards, Baseline, "Sysctls".
 */
export const sysctls: PodSecurityCheck = {
  id: "sysctls",
  level: "baseline",
  editions: [
    { sinceMinor: 0, judge: onlyFrom(until26) },
    { sinceMinor: 27, judge: onlyFrom(since27) },
    { sinceMinor: 29, judge: onlyFrom(since29) },
    { sinceMinor: 32, judge: onlyFrom(since32) },
    { sinceMinor: 37, judge: onlyFrom(since37) },
  ],
};

function onlyFrom(names: readonly string[]): Judge {
  const safe = new Set(names);
  return (pod) => {
    const unsafe = pod.sysctls.filter((name) => !safe.has(name));
    return unsafe.length === 0 ? undefined : { reason: "forbidden sysctls", detail: unsafe.join(", ") };
  };
}

export { alwaysLeading, guardClient, type LeadershipGuard, LeadershipLostError } from "./guard.ts";
export { LeaderElector, type LeaderElectorOptions } from "./leader-elector.ts";
export {
  defaultLeaseTiming,
  type ElectionCommand,
  LeaseElection,
  type LeaseTiming,
  type ObservedLease,
} from "./lease.ts";
export { formatMicroTime, parseMicroTime } from "./micro-time.ts";

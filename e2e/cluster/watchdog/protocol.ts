/** What a cluster's owner and its watchdog say to each other over the IPC channel of node:child_process. */
import type { ClusterState } from "../state.ts";
import type { ProcessSpec } from "../types.ts";

export type StateChange = Partial<Pick<ClusterState, "isReady" | "loopbackAddresses" | "apiServers">>;

export type Command =
  | { readonly kind: "start"; readonly spec: ProcessSpec }
  | {
      readonly kind: "stop";
      readonly name: string;
      readonly signal: NodeJS.Signals;
      readonly graceMs: number;
    }
  | { readonly kind: "remember"; readonly change: StateChange }
  /** From now on the cluster outlives its owner. */
  | { readonly kind: "detach" }
  | { readonly kind: "shutdown" };

export interface Request {
  readonly id: number;
  readonly command: Command;
}

export type FromWatchdog =
  | { readonly kind: "done"; readonly id: number; readonly pid?: number }
  | { readonly kind: "failed"; readonly id: number; readonly message: string }
  | {
      readonly kind: "exited";
      /** Id of the request that started the process. */
      readonly id: number;
      readonly code: number | null;
      readonly signal: string | null;
    };

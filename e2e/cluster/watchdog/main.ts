/**
 * The watchdog of one cluster. Every process of the cluster is its child, and it holds an IPC channel to the process
 * that owns the cluster: when the channel closes, because the owner ended, crashed or was killed, the cluster ends.
 * Started as `node main.ts <folder of the cluster>`, in a session of its own.
 */
import { join } from "node:path";
import { identityOf } from "../process-identity.ts";
import { type ClusterState, readState, writeState } from "../state.ts";
import { tearDown } from "../teardown.ts";
import { Children } from "./children.ts";
import type { Command, FromWatchdog, Request } from "./protocol.ts";

const dir = process.argv[2] ?? "";
const initial = await readState(dir);
if (!initial) throw new Error(`${dir} is not the folder of a cluster`);
let state: ClusterState = initial;
let isEnding = false;
let saving: Promise<void> = Promise.resolve();

const log = (message: string): void => console.error(`${new Date().toISOString()} ${message}`);

function tellOwner(message: FromWatchdog): void {
  // The owner may be gone at any moment; "disconnect" is what tells, not a failed send.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Saves one after the other, so that an older state never overwrites a newer one. */
async function save(change: Partial<ClusterState>): Promise<void> {
  state = { ...state, ...change };
  saving = saving.then(() => (isEnding ? undefined : writeState(dir, state)));
  await saving;
}

const children = new Children(join(dir, "logs"));

async function perform(id: number, command: Command): Promise<number | undefined> {
  if (isEnding && command.kind !== "shutdown") throw new Error("the cluster is being torn down");
  switch (command.kind) {
    case "start": {
      const { name } = command.spec;
      const identity = await children.start(command.spec, (pid, exit) => {
        log(`${name} (process ${pid}) ended: code ${exit.code}, signal ${exit.signal}`);
        tellOwner({ kind: "exited", id, ...exit });
      });
      await save({ processes: { ...state.processes, [name]: identity } });
      return identity.pid;
    }
    case "stop":
      await children.stop(command.name, command.signal, command.graceMs);
      return undefined;
    case "remember":
      await save(command.change);
      return undefined;
    case "detach":
      await save({ detached: true });
      return undefined;
    case "shutdown":
      await end("asked to");
      return undefined;
    default:
      return command satisfies never;
  }
}

let ending: Promise<void> | undefined;

/** Ends the cluster once; exits with 1, keeping the folder and its log, where something could not be removed. */
function end(why: string): Promise<void> {
  ending ??= (async () => {
    log(`ending the cluster: ${why}`);
    await saving;
    isEnding = true;
    await children.killAll();
    await tearDown(dir, log);
  })();
  return ending;
}

function endAndExit(why: string): void {
  end(why).then(
    () => process.exit(0),
    (error: unknown) => {
      log(`tear-down failed: ${error instanceof Error ? error.stack : String(error)}`);
      process.exit(1);
    },
  );
}

process.on("message", (request: Request) => {
  const { id, command } = request;
  perform(id, command).then(
    (pid) => {
      tellOwner({ kind: "done", id, ...(pid === undefined ? {} : { pid }) });
      if (command.kind === "shutdown") process.disconnect();
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      tellOwner({ kind: "failed", id, message });
      if (command.kind === "shutdown") endAndExit("tear-down failed");
    },
  );
});
process.on("disconnect", () => {
  if (!state.detached) endAndExit("its owner is gone");
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (signal === "SIGHUP" && state.detached) return;
    endAndExit(`received ${signal}`);
  });
}
// A detached watchdog has neither channel nor necessarily children; this keeps it there to be asked to end.
setInterval(() => undefined, 2 ** 30);

const self = await identityOf(process.pid);
if (self) await save({ watchdog: self });
log(`watching over cluster ${state.name} (${state.id})`);
if (!process.connected) endAndExit("its owner is gone");

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy in front of an API server that can cut what passes and refuse or swallow what comes. */
export interface CuttingProxy extends AsyncDisposable {
  url: string;
  /** `open`: passes; `refuse`: closes new connections at once; `stall`: accepts and passes nothing, existing ones included. */
  mode: "open" | "refuse" | "stall";
  /** Resets every connection there is. */
  cut(): void;
  readonly accepted: number;
}

/** TLS passes through untouched, so the server's certificate is verified as usual: listens on the server's own address. */
export async function cuttingProxy(serverUrl: string): Promise<CuttingProxy> {
  const target = new URL(serverUrl);
  const pairs = new Set<readonly [Socket, Socket]>();
  let accepted = 0;
  let mode: CuttingProxy["mode"] = "open";
  const server = createServer((down) => {
    accepted++;
    if (mode === "refuse") {
      down.resetAndDestroy();
      return;
    }
    const up = connect({ host: target.hostname, port: Number(target.port) });
    const pair = [down, up] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      down.destroy();
      up.destroy();
    };
    down.on("data", (chunk) => mode !== "stall" && up.write(chunk));
    up.on("data", (chunk) => mode !== "stall" && down.write(chunk));
    for (const socket of pair) socket.on("error", end).on("close", end);
  });
  await new Promise<void>((resolve) => server.listen(0, target.hostname, resolve));
  const cut = (): void => {
    for (const [down, up] of pairs) {
      down.resetAndDestroy();
      up.destroy();
    }
  };
  return {
    url: `https://${target.hostname}:${(server.address() as AddressInfo).port}`,
    get mode() {
      return mode;
    },
    set mode(next) {
      mode = next;
    },
    get accepted() {
      return accepted;
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

import { createServer, type Server } from "node:http";

/**
 * Health endpoints for the time before the manager runs: alive, not ready. Without them a kubelet would restart a
 * process that only waits for an administrator.
 */
export async function serveWaitingHealth(bindAddress: string | undefined): Promise<() => Promise<void>> {
  if (bindAddress === undefined) return () => Promise.resolve();
  const colon = bindAddress.lastIndexOf(":");
  const host = bindAddress.slice(0, colon).replace(/^\[|\]$/g, "");
  const server = createServer((request, response) => {
    response.writeHead(request.url === "/healthz" ? 200 : 503, { connection: "close" }).end();
  });
  await listen(server, Number(bindAddress.slice(colon + 1)), host);
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === "" ? {} : { host }) }, resolve);
  });
}

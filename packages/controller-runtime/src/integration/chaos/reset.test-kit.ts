import type { ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { Socket } from "node:net";

/** TCP connections by the client's port: a TLS socket cannot be reset, only what it is made on. */
const connections = new Map<number, Socket>();

export function rememberConnections(server: Server): void {
  server.on("connection", (socket: Socket) => {
    const { remotePort = 0 } = socket;
    connections.set(remotePort, socket);
    socket.once("close", () => {
      if (connections.get(remotePort) === socket) connections.delete(remotePort);
    });
  });
}

/** Ends the connection of a response with RST, as a crashed server or an impatient middlebox does. */
export function resetConnection(response: ServerResponse): void {
  const socket = connections.get(response.socket?.remotePort ?? -1);
  if (socket === undefined) response.destroy();
  else socket.resetAndDestroy();
}

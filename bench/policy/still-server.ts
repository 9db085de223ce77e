/**
 * In place of an API server: holds what it was given and nothing ever changes. For a webhook process under measurement
 * without a cluster, whose start and answers then depend on nobody else.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Objects by the plural name of their kind. */
export type Holding = Readonly<Record<string, readonly object[]>>;

export interface StillServer extends AsyncDisposable {
  readonly url: string;
}

const resourceVersion = "1000";

export async function startStillServer(holding: Holding): Promise<StillServer> {
  const server = createServer((request, response) => {
    answer(holding, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function answer(holding: Holding, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await textOf(request);
  const url = new URL(request.url ?? "/", "http://still");
  const isWatch = request.method === "GET" && url.searchParams.has("watch");
  if (isWatch) {
    // On which nothing happens; it ends with its client.
    response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
    return;
  }
  const { status, value } = said(holding, request.method ?? "", url.pathname, body);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function said(
  holding: Holding,
  method: string,
  path: string,
  body: string,
): { status: number; value: object } {
  switch (method) {
    case "GET":
      return read(holding, path);
    case "POST":
      return { status: 201, value: granted(body) };
    case "PATCH":
      // Leases and whatever else is written: as if it had been stored.
      return { status: 200, value: JSON.parse(body) as object };
    default:
      return { status: 200, value: { kind: "Status", apiVersion: "v1", status: "Success" } };
  }
}

function read(holding: Holding, path: string): { status: number; value: object } {
  if (path === "/version") return { status: 200, value: { major: "1", minor: "37", gitVersion: "v1.37.2" } };
  const [last = "", before = ""] = path.split("/").reverse();
  const items = own(holding, last);
  if (items !== undefined) {
    const list = { kind: "List", apiVersion: "v1", metadata: { resourceVersion }, items };
    return { status: 200, value: list };
  }
  const found = own(holding, before)?.find((object) => nameOf(object) === last);
  if (found !== undefined) return { status: 200, value: found };
  const nothing = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", code: 404 };
  return { status: 404, value: nothing };
}

function own(holding: Holding, plural: string): readonly object[] | undefined {
  return Object.hasOwn(holding, plural) ? holding[plural] : undefined;
}

function nameOf(object: object): string | undefined {
  return (object as { metadata?: { name?: string } }).metadata?.name;
}

/** Whoever it is is known, and whatever is asked about rights, they are there. */
function granted(body: string): object {
  const everything = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
  const user = { username: "bench", groups: ["system:authenticated"] };
  const rights = { allowed: true, incomplete: false, resourceRules: [everything], nonResourceRules: [] };
  const status = { ...rights, authenticated: true, user };
  return { ...(JSON.parse(body) as object), status };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

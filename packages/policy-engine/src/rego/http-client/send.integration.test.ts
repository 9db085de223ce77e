/** Calls over real connections: HTTPS and HTTP servers on loopback, with a certificate of their own. */
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { selfSignedCertificate } from "../../../testing/cel-oracle/self-signed.ts";
import { httpCallOf } from "../builtins/http-call.ts";
import type { CallOutcome } from "../calls/call.ts";
import { parseAllowedHost } from "../calls/hosts.ts";
import type { PlainObject } from "../values.ts";
import { HttpClient } from "./client.ts";

const { certificatePem, privateKeyPem } = selfSignedCertificate("127.0.0.1", Date.now());
type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let answer: Handler = (_, response) => void response.end();
let seen: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[] = [];

const handle: Handler = async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = "", url = "", headers } = request;
  seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
  answer(request, response);
};
const secure = createServer({ cert: certificatePem, key: privateKeyPem }, handle);
const plain = createHttpServer(handle);
const raw = createTcpServer((socket) => socket.end("SSH-2.0-decoy\r\n"));

beforeAll(async () => {
  for (const server of [secure, plain, raw]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
});
afterEach(() => {
  seen = [];
});
afterAll(() => {
  secure.closeAllConnections();
  plain.closeAllConnections();
  for (const server of [secure, plain, raw]) server.close();
});

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
const at = (server: { address(): unknown }, host = "127.0.0.1") => `${host}:${portOf(server)}`;
const client = new HttpClient({ monotonicNow: () => performance.now() });

async function send(
  request: PlainObject,
  hosts: readonly string[] = [at(secure)],
  ms = 5_000,
): Promise<CallOutcome> {
  const given = { method: "get", tls_ca_cert: certificatePem, ...request };
  return await client.send(httpCallOf(given, hosts.map(parseAllowedHost)), ms);
}
const url = (path = "/") => `https://${at(secure)}${path}`;
const problem = (outcome: CallOutcome) => (outcome.kind === "answered" ? "none" : outcome.message);

describe("a call over the network", () => {
  it("carries method, headers and body, and brings back status, headers and body", async () => {
    answer = (_, response) => {
      response.writeHead(201, "Made", [
        ["X-A", "1"],
        ["x-a", "2"],
      ]);
      response.end("body");
    };
    const outcome = await send({
      method: "post",
      url: url("/a?b=c#d"),
      headers: { "X-B": "3" },
      body: { a: 1 },
    });
    expect(outcome).toMatchObject({
      kind: "answered",
      response: { status: "201 Made", statusCode: 201, body: Buffer.from("body") },
    });
    expect(outcome.kind === "answered" && outcome.response.headers.get("x-a")).toEqual(["1", "2"]);
    expect(seen).toMatchObject([
      {
        method: "POST",
        url: "/a?b=c",
        headers: { "x-b": "3", "user-agent": "shieldx", "content-length": "7", host: at(secure) },
        body: '{"a":1}',
      },
    ]);
    await send({ url: url(), raw_body: "of a GET" });
    expect(seen[1]).toMatchObject({ method: "GET", body: "of a GET" });
  });

  it("is made without TLS only where the list says so", async () => {
    answer = (_, response) => void response.end("plain");
    expect((await send({ url: `http://${at(plain)}/` }, [`http://${at(plain)}`])).kind).toBe("answered");
    expect(problem(await send({ url: `https://${at(plain)}/` }, [at(plain)]))).toContain("cannot be reached");
    expect(problem(await send({ url: `https://${at(raw)}/` }, [at(raw)]))).toContain("cannot be reached");
  });

  it("trusts nobody without the authority, nor under another name", async () => {
    const given = { method: "get", url: url() };
    const unknown = await client.send(httpCallOf(given, [parseAllowedHost(at(secure))]), 5_000);
    expect(problem(unknown)).toMatch(/self.signed/);
    expect(problem(await send({ url: url(), tls_server_name: "other.example" }))).toContain("other.example");
    expect(problem(await send({ url: url(), tls_ca_cert: "no PEM" }))).toMatch(/cannot be/);
    expect(problem(await send({ url: url(), tls_client_cert: "x", tls_client_key: "y" }))).toContain(
      "cannot be used",
    );
    expect(seen).toEqual([]);
  });

  it("follows a name to loopback only where the list names localhost", async () => {
    answer = (_, response) => void response.end();
    const local = at(plain, "localhost");
    expect((await send({ url: `http://${local}/` }, [`http://${local}`])).kind).toBe("answered");
    const other = at(plain, "db.localhost");
    expect(problem(await send({ url: `http://${other}/` }, [`http://${other}`]))).toMatch(
      /leads to the loopback address|ENOTFOUND|EAI_AGAIN/,
    );
    expect(seen).toHaveLength(1);
  });

  it("gives redirects back unless it is to follow them, and then only to hosts of the list", async () => {
    const there = `http://${at(plain)}/there`;
    answer = (request, response) => {
      if (request.url === "/there") response.end("there");
      else response.writeHead(302, { Location: there }).end();
    };
    const given = {
      method: "post",
      url: url(),
      body: 1,
      headers: {
        Authorization: "Bearer x",
        "X-Api-Key": "c",
        Accept: "text/plain",
        "Accept-Language": "de",
      },
    };
    expect(await send(given)).toMatchObject({ kind: "answered", response: { statusCode: 302 } });
    const following = { ...given, enable_redirect: true };
    expect(problem(await send(following))).toBe(
      `${at(secure)} sends on to http://${at(plain)}, which spec.rego.allowedHosts does not list`,
    );
    expect(seen.map(({ url: path }) => path)).toEqual(["/", "/"]);
    const both = [at(secure), `http://${at(plain)}`];
    expect(await send(following, both)).toMatchObject({ response: { body: Buffer.from("there") } });
    const negotiation = { accept: "text/plain", "accept-language": "de", "user-agent": "shieldx" };
    expect(seen.at(-1)).toMatchObject({ method: "GET", url: "/there", body: "", headers: negotiation });
    expect(Object.keys(seen.at(-1)?.headers ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(authorization|x-api-key)$/)]),
    );
    answer = (_, response) => void response.writeHead(308, { Location: "/again" }).end();
    expect(problem(await send(following))).toContain("sends on more than 5 times");
    expect(seen.at(-1)).toMatchObject({ method: "POST", body: "1", headers: { authorization: "Bearer x" } });
    expect(seen.at(-1)?.headers).toHaveProperty("x-api-key", "c");
    answer = (_, response) => void response.writeHead(302, { Location: "file:///etc/passwd" }).end();
    expect(problem(await send(following))).toContain("no URL of a host");
  });

  it("ends in its time, before an answer and within one", async () => {
    answer = () => undefined;
    expect(problem(await send({ url: url(), timeout: "50ms" }))).toContain("did not answer within 50 ms");
    answer = (_, response) => void response.write("begun");
    expect(await send({ url: url() }, undefined, 50)).toMatchObject({
      kind: "refused",
      message: expect.stringContaining("all the time the request has"),
    });
  });

  it("takes no more than a megabyte, and no half of an answer", async () => {
    answer = (_, response) => void response.end(Buffer.alloc(1_048_577));
    expect(await send({ url: url() })).toMatchObject({
      kind: "refused",
      message: `${at(secure)} answers with more than 1048576 bytes`,
    });
    answer = (_, response) => void response.end(Buffer.alloc(1_048_576));
    expect((await send({ url: url() })).kind).toBe("answered");
    answer = (_, response) => {
      response.writeHead(200, { "Content-Length": "10" });
      response.write("half", () => response.destroy());
    };
    expect(problem(await send({ url: url() }))).toContain("cannot be reached");
  });

  it("survives protocols that it did not ask for", async () => {
    answer = (request) => {
      request.socket.end(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nxyz",
      );
    };
    expect((await send({ url: url() })).kind).toBe("failed");
    answer = (request) => void request.socket.end("HTTP/9.9 what\r\n\r\n");
    expect((await send({ url: url() })).kind).toBe("failed");
  });
});

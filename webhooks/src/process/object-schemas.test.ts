import type { Client, RawResponse } from "@shieldx/controller-runtime";
import { realClock } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { ObjectSchemas } from "./object-schemas.ts";

const kind = (name: string) => ({ group: "example.org", version: "v1", kind: name });
const documentOf = (...kinds: string[]) => ({
  components: {
    schemas: Object.fromEntries(
      kinds.map((name) => [name, { type: "object", "x-kubernetes-group-version-kind": [kind(name)] }]),
    ),
  },
});
const address = "/openapi/v3/apis/example.org/v1?hash=1";

/** An API server with these documents, by address; `asked` are the requests it got. */
function setUp(documents: Record<string, unknown>, index: Record<string, unknown>) {
  const asked: string[] = [];
  let nowMs = 0;
  const client = {
    request: async (_method: string, path: string): Promise<RawResponse> => {
      asked.push(path);
      const body = path === "/openapi/v3" ? { paths: index } : documents[path];
      if (body === undefined) throw new Error(`404 ${path}`);
      return { status: 200, headers: {}, body: typeof body === "string" ? body : JSON.stringify(body) };
    },
  } as unknown as Client;
  const lines: string[] = [];
  const log = (_fields: object, text: string) => void lines.push(text);
  const logger = { debug: log, info: log, warn: log, error: log };
  const schemas = new ObjectSchemas({ client, clock: { ...realClock, monotonicNow: () => nowMs }, logger });
  const after = (ms: number): void => {
    nowMs += ms;
  };
  return { schemas, asked, lines, after };
}
const served = { "apis/example.org/v1": { serverRelativeURL: address } };

describe("ObjectSchemas", () => {
  it("reads a document once, when first asked for, however many ask", async () => {
    const { schemas, asked } = setUp({ [address]: documentOf("Gadget") }, served);
    const found = await Promise.all([1, 2, 3].map(() => schemas.find(kind("Gadget"), 1_000)));
    expect(found.map((types) => types(kind("Gadget"))?.map !== undefined)).toEqual([true, true, true]);
    await schemas.find(kind("Gadget"), 1_000);
    expect(asked).toEqual(["/openapi/v3", address]);
  });

  it("looks again for a kind that is not there yet, but not for each request", async () => {
    const documents: Record<string, unknown> = { [address]: documentOf("Gadget") };
    const { schemas, asked, after } = setUp(documents, served);
    const find = async () => (await schemas.find(kind("Widget"), 1_000))(kind("Widget"));
    for (let i = 0; i < 10; i++) expect(await find()).toBeUndefined();
    expect(asked).toHaveLength(2);
    documents[address] = documentOf("Gadget", "Widget");
    after(2_001);
    expect(await find()).toBeDefined();
  });

  it.each([
    ["is not served", {}, {}],
    ["is no JSON", { [address]: "<html>" }, served],
    ["is no OpenAPI document", { [address]: { components: null } }, served],
    ["leads elsewhere", {}, { "apis/example.org/v1": { serverRelativeURL: "https://elsewhere.invalid/" } }],
  ])("knows nothing, and says so once, where a document %s", async (_, documents, index) => {
    const { schemas, lines } = setUp(documents, index);
    for (let i = 0; i < 3; i++)
      expect((await schemas.find(kind("Gadget"), 1_000))(kind("Gadget"))).toBeUndefined();
    expect(lines).toHaveLength(1);
  });

  it("does not wait longer than it may", async () => {
    const never = { request: () => new Promise<never>(() => undefined) } as unknown as Client;
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const schemas = new ObjectSchemas({ client: never, clock: realClock, logger });
    expect((await schemas.find(kind("Gadget"), 1))(kind("Gadget"))).toBeUndefined();
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newAuthority, newLeaf } from "../server/server.test-kit.ts";
import { readClientCa } from "./client-ca.ts";
import { FlagError } from "./flag-error.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "client-ca-"));
});
afterAll(() => rm(folder, { recursive: true }));

const read = async (text: string): Promise<string> => {
  const file = join(folder, "ca.crt");
  await writeFile(file, text);
  return readClientCa(file);
};
const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

describe("the authorities of --client-ca-file", () => {
  it("are all that the file holds, so that one can follow another", async () => {
    const [old, next] = [await newAuthority(), await newAuthority()];
    const text = `# old\n${old.certificatePem}# next\n${next.certificatePem}`;
    expect(await read(text)).toBe(old.certificatePem + next.certificatePem);
  });

  it("are refused where TLS would skip them and send every API server away", async () => {
    const ca = await newAuthority();
    const leaf = await newLeaf(ca, ["client"]);
    const refused = (text: string) => expect(read(text)).rejects;
    await refused("").toThrow("holds no certificate");
    await refused(ca.certificatePem + broken).toThrow("certificate 2 of 2 cannot be read");
    await refused(leaf.certificatePem).toThrow("is no authority's");
    await refused("").toThrow(FlagError);
    await expect(readClientCa(join(folder, "none"))).rejects.toThrow(
      /--client-ca-file .*none: cannot be read \(ENOENT.*webhooks\.clientCaConfigMap/,
    );
  });
});

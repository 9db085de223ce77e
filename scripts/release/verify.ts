// Checks a release: node scripts/release/verify.ts FOLDER [PUBLIC_KEY]. With a key, an unsigned release fails.
// Ends with 0 when every file is what SHA256SUMS says and all signatures are the key's.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isSignedBy, openEnvelope } from "./sign.ts";

const unlisted = /^(SHA256SUMS(\.sig)?|provenance\.dsse\.json|image\.(payload\.json|sig)|release\.pub)$/;

/** What is wrong with the release; empty when it is whole. */
async function problemsOf(folder: string, keyFile: string | undefined): Promise<string[]> {
  const problems: string[] = [];
  const read = (name: string) => readFile(join(folder, name));
  const sums = await read("SHA256SUMS");
  const listed = new Map<string, string>();
  for (const line of sums.toString().split("\n").filter(Boolean)) {
    const [sum = "", name = ""] = line.split("  ");
    listed.set(name, sum);
    const bytes = await read(name).catch(() => undefined);
    if (bytes === undefined) problems.push(`${name} is missing`);
    else if (createHash("sha256").update(bytes).digest("hex") !== sum) problems.push(`${name} was changed`);
  }
  for (const name of await readdir(folder)) {
    if (!listed.has(name) && !unlisted.test(name)) problems.push(`${name} is not part of the release`);
  }
  problems.push(...provenanceProblems(await read("provenance.intoto.json"), listed));
  if (keyFile === undefined) return problems;

  const key = await readFile(keyFile, "utf8");
  const check = async (what: string, isGood: () => Promise<boolean>) => {
    const good = await isGood().catch(() => false);
    if (!good) problems.push(`${what} is not signed by ${keyFile}`);
  };
  await check("SHA256SUMS", async () => isSignedBy(sums, await read("SHA256SUMS.sig"), key));
  await check("provenance.dsse.json", async () => {
    const statement = openEnvelope((await read("provenance.dsse.json")).toString(), key);
    return statement.equals(await read("provenance.intoto.json"));
  });
  await check("image.payload.json", async () => {
    const signature = Buffer.from((await read("image.sig")).toString(), "base64");
    return isSignedBy(await read("image.payload.json"), signature, key);
  });
  return problems;
}

function provenanceProblems(statement: Buffer, listed: ReadonlyMap<string, string>): string[] {
  const { subject } = JSON.parse(statement.toString()) as {
    subject: { name: string; digest: { sha256: string } }[];
  };
  return [...listed].flatMap(([name, sum]) => {
    if (name === "provenance.intoto.json") return [];
    const found = subject.find((one) => one.name === name);
    return found?.digest.sha256 === sum ? [] : [`the provenance does not speak of this ${name}`];
  });
}

const [folder, keyFile] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: node scripts/release/verify.ts FOLDER [PUBLIC_KEY]");
const problems = await problemsOf(folder, keyFile);
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length === 0) {
  process.stdout.write(
    `${folder}: whole${keyFile === undefined ? ", signatures not looked at" : " and signed"}\n`,
  );
}
process.exitCode = problems.length === 0 ? 0 : 1;

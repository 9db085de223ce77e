/** What there is to test under some paths: ShieldPolicies, and tests in formats of others, told by what is in the files. */
import { dirname, relative, resolve } from "node:path";
import { ManifestSyntaxError, parseManifestDocuments } from "@shieldx/crds";
import {
  type GatekeeperSuite,
  isGatekeeperSuite,
  isKyvernoTest,
  type KyvernoTest,
  readGatekeeperSuite,
  readKyvernoTest,
  TestFormatError,
} from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { filesUnder, type Manifest, parseManifests, readManifests, readText } from "../manifests/read.ts";

/** Modules and documents of one folder, or one file, that was given. */
export interface RegoFiles {
  /** Source by path, as it was found. */
  readonly modules: Readonly<Record<string, string>>;
  /** Documents below `data`. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface TestSources {
  readonly manifests: readonly Manifest[];
  readonly gatekeeper: readonly GatekeeperSuite[];
  readonly kyverno: readonly KyvernoTest[];
  readonly rego: readonly RegoFiles[];
}

const wanted = /\.(ya?ml|json|rego)$/i;
const isModule = (file: string): boolean => file.endsWith(".rego");
/** Cheaper than reading what is none: a folder may hold thousands of manifests. */
const foreignGroup = /\b(test\.gatekeeper\.sh|kyverno\.io)\//;
const ours = /\bshieldx\.io\//;
const regoTest = /^[ \t]*(todo_)?test_\w/m;
/** OPA's names for documents in a folder of policies. */
const dataFile = /(^|[\\/])data\.(json|ya?ml)$/;

/** Throws UsageError. */
export async function testSources(paths: readonly string[]): Promise<TestSources> {
  const read = await Promise.all(paths.filter((path) => path !== "-").map(readFolder));
  const gatekeeper = read.flatMap((folder) => folder.gatekeeper);
  const kyverno = read.flatMap((folder) => folder.kyverno);
  const rego = read.flatMap((folder) => folder.rego ?? []);
  const isForeign = gatekeeper.length > 0 || kyverno.length > 0 || rego.length > 0;
  if (!isForeign) return { manifests: await readManifests(paths), gatekeeper, kyverno, rego };
  // Beside tests of others lies whatever these name: only what says that it is ShieldX's is read as such.
  const manifests = read.flatMap(({ texts }) =>
    texts.filter(({ text }) => ours.test(text)).flatMap(({ text, file }) => parseManifests(text, file)),
  );
  const given = paths.includes("-") ? await readManifests(["-"]) : [];
  return { manifests: [...manifests, ...given], gatekeeper, kyverno, rego };
}

interface Text {
  readonly file: string;
  readonly text: string;
}

interface Folder extends Pick<TestSources, "gatekeeper" | "kyverno"> {
  readonly texts: readonly Text[];
  readonly rego: RegoFiles | undefined;
}

async function readFolder(path: string): Promise<Folder> {
  const files = await filesUnder(path, wanted);
  const all: Text[] = [];
  for (const file of files) all.push({ file, text: await readText(file) });
  const texts = all.filter(({ file }) => !isModule(file));
  const documents = texts.filter(({ text }) => foreignGroup.test(text)).flatMap(documentsOf);
  const suites = documents.filter(({ value }) => isGatekeeperSuite(value));
  const tests = documents.filter(({ value }) => isKyvernoTest(value));
  return {
    texts,
    rego: regoFiles(path, all),
    gatekeeper: suites.map((document) => formatted(document, readGatekeeperSuite)),
    kyverno: tests.map((document) => formatted(document, readKyvernoTest)),
  };
}

interface Document {
  readonly value: unknown;
  readonly file: string;
  readonly line: number;
}

function documentsOf({ file, text }: Text): Document[] {
  return parsed(() => parseManifestDocuments(text, file)).map((document) => ({ ...document, file }));
}

function formatted<T>(
  { value, file, line }: Document,
  read: (value: unknown, file: string, line: number) => T,
): T {
  try {
    return read(value, file, line);
  } catch (error) {
    if (!(error instanceof TestFormatError)) throw error;
    throw new UsageError("InvalidTestFile", `${file}:${line}: ${error.message}`, { cause: error });
  }
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof ManifestSyntaxError)) throw error;
    throw new UsageError("InvalidYaml", error.message, { cause: error });
  }
}

/** Undefined where no rule is a test. */
function regoFiles(path: string, all: readonly Text[]): RegoFiles | undefined {
  const modules = all.filter(({ file }) => isModule(file));
  if (!modules.some(({ text }) => regoTest.test(text))) return undefined;
  let data: Record<string, unknown> = {};
  for (const { file, text } of all.filter(({ file }) => dataFile.test(file)))
    for (const { value } of parsed(() => parseManifestDocuments(text, file)))
      data = merged(data, below(relative(resolve(path), resolve(dirname(file))), value), file);
  return { modules: Object.fromEntries(modules.map(({ file, text }) => [file, text])), data };
}

/** As OPA places the documents of a bundle: under the names of the folders. */
function below(folder: string, value: unknown): unknown {
  const names = folder.split(/[\\/]/).filter((name) => name !== "" && name !== ".");
  return names.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merged(into: Record<string, unknown>, value: unknown, file: string): Record<string, unknown> {
  if (!isRecord(value)) throw new UsageError("InvalidData", `${file}: must hold an object`);
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
    const known = Object.hasOwn(into, key) ? into[key] : undefined;
    if (known === undefined) return [key, item];
    if (isRecord(known) && isRecord(item)) return [key, merged(known, item, file)];
    throw new UsageError("InvalidData", `${file}: another file gives ${key} a value, too`);
  });
  // Keys computed in a literal are own keys, whatever their names.
  return Object.fromEntries([...Object.entries(into), ...entries]);
}

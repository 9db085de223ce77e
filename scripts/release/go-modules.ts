/**
 * Go modules that are part of the Rego compiler, and their licences. `node scripts/release/go-modules.ts` writes the licence
 * texts that go with the image; a test fails when they are out of date.
 */
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { goEnvironment, goToolchain, regoCompiler } from "../../e2e/cluster/build/index.ts";
import { type Component, LicenceError } from "./components.ts";

const run = promisify(execFile);

export const licencesFile = "packages/policy-engine/rego-compiler/LICENSES.md";

interface GoModule {
  readonly path: string;
  readonly version: string;
  /** Licences and notices, as they are. */
  readonly texts: readonly string[];
}

/** Those of which a package is linked in, and Go's own library. Throws `PREREQUISITE` where Go is missing. */
async function linkedModules(): Promise<GoModule[]> {
  const { command, version } = await goToolchain();
  const { module: cwd, goos = "", goarch = "" } = regoCompiler;
  const env = await goEnvironment({ goos, goarch });
  const format = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}";
  const { stdout } = await run(command, ["list", "-deps", "-f", format, "."], { cwd, env });
  const lines = [...new Set(stdout.split("\n").filter((line) => line !== ""))].sort();
  const { stdout: root } = await run(command, ["env", "GOROOT"], { cwd, env });
  const standard = { path: "std", version: version.replace(/^go/, ""), folder: root.trim() };
  const modules = lines.map((line) => {
    const [path = "", found = "", ...folder] = line.split(" ");
    return { path, version: found, folder: folder.join(" ") };
  });
  return await Promise.all(
    [standard, ...modules].map(async ({ path, version: of, folder }) => {
      const names = (await readdir(folder)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
      const texts = await Promise.all(names.sort().map((name) => readFile(join(folder, name), "utf8")));
      return { path, version: of, texts };
    }),
  );
}

/** What a licence text has in it, whatever stands around. */
const phrases: readonly (readonly [RegExp, string])[] = [
  [/covered by two different licenses: MIT and Apache/, "MIT AND Apache-2.0"],
  [/Apache License\s+Version 2\.0/, "Apache-2.0"],
  [/Permission is hereby granted, free of charge/, "MIT"],
  [/Redistribution and use in source and binary forms[\s\S]*Neither the name/, "BSD-3-Clause"],
];

/** Throws LicenceError for a module under a licence that nobody has read. */
export async function goComponents(): Promise<Component[]> {
  return (await linkedModules()).map(({ path, version, texts }): Component => {
    const licence = phrases.find(([phrase]) => texts.some((text) => phrase.test(text)))?.[1];
    if (licence === undefined) throw new LicenceError(`${path} ${version}: read its licence and add it here`);
    return {
      kind: "go",
      name: path,
      version,
      licence,
      purl: `pkg:golang/${path}@${version}`,
      // go.sum has hashes of file lists, not of what was downloaded.
      hash: undefined,
    };
  });
}

/** The texts that have to go with the compiler. */
export async function licenceTexts(): Promise<string> {
  const parts = (await linkedModules()).map(({ path, texts }) =>
    [`## ${path}`, ...texts.map((text) => `\`\`\`text\n${text.replace(/\r/g, "").trimEnd()}\n\`\`\``)].join(
      "\n\n",
    ),
  );
  const head =
    "# What rego-compiler.wasm is made of\n\nWritten by scripts/release/go-modules.ts; do not edit.";
  return `${[head, ...parts].join("\n\n")}\n`;
}

if (import.meta.main) await writeFile(licencesFile, await licenceTexts());

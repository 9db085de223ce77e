/** Gatekeeper's own tests of gator: its suites, and what its test scripts (bats) say `gator test` answers. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseManifests } from "@shieldx/crds";
import { importPolicies } from "../../foreign/index.ts";
import { textAt } from "../../foreign/plain.ts";
import { definedResources } from "../../offline/resource-of.ts";
import { prepareGatekeeperSuite, runGatekeeperSuite } from "../gatekeeper-run.ts";
import { isGatekeeperSuite, readGatekeeperSuite } from "../gatekeeper-suite.ts";
import { HeldPolicies } from "../held.ts";
import { failed, noVerdict, passed, type Said } from "../outcome.ts";
import { requestFor } from "../request.ts";
import { syncSetOf } from "../sync-set.ts";
import { compiled, reader, testFiles } from "./files.test-kit.ts";
import type { Counted } from "./results.test-kit.ts";

export const gatekeeperModule = {
  path: "github.com/open-policy-agent/gatekeeper/v3",
  version: "v3.18.2",
  sum: "h1:P3h1f8hin0M/a9r70LajMjOPxF3C1dUFqqWJZ4B3A5E=",
} as const;

const environment = { serverMinor: 37, now: Date.now(), monotonicNow: () => 0 };

export async function suiteCases(root: string, folderOf: (name: string) => string): Promise<Counted[]> {
  const suites = testFiles(root, isGatekeeperSuite).flatMap(({ path, name, documents }) =>
    documents.map(({ value, line }) => {
      const read = reader(path);
      return { name, read, prepared: prepareGatekeeperSuite(readGatekeeperSuite(value, path, line), read) };
    }),
  );
  const imported = suites.flatMap(({ prepared }) => prepared.tests.flatMap((test) => test.imported.policies));
  const rego = await compiled(imported);
  return suites.flatMap(({ name, read, prepared }) =>
    runGatekeeperSuite(prepared, read, { ...environment, rego }).map((outcome) => ({
      folder: folderOf(name),
      id: `${name}: ${outcome.name}`,
      outcome,
    })),
  );
}

/** What a test script says of one call of `gator test`. */
interface Scripted {
  readonly name: string;
  readonly files: readonly string[];
  readonly isRefused: boolean;
  readonly messages: readonly string[];
}

/** Calls of `gator test` on files; what a script says of its flags, of standard input and of images is about gator itself. */
export function scriptedCases(script: string): Scripted[] {
  const blocks = readFileSync(script, "utf8")
    .split(/^@test "/m)
    .slice(1);
  return blocks.flatMap((block) => {
    const name = block.slice(0, block.indexOf('"'));
    const files = [...block.matchAll(/\$BATS_TEST_DIRNAME\/([^"\s]+)/g)].map(([, file = ""]) => file);
    const isAboutGator = /--image|img1=|mktemp/.test(block) || files.length === 0;
    if (isAboutGator) return [];
    const messages = [...block.matchAll(/want_msg(?:_\d)?="((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) =>
      text.replace(/\\(.)/g, "$1"),
    );
    const isRefused = /\[ "\$status" -eq 1 \]|^ {2}! |output=\$\(! /m.test(block);
    return [{ name, files: [...new Set(files)], isRefused, messages }];
  });
}

/** What `gator expand` makes of templates; no policy is part of it. */
export function expandCases(fixtures: string): Counted[] {
  return readdirSync(fixtures).map((id) => ({
    folder: "expand",
    id,
    outcome: noVerdict("no objects are made up", "ExpansionTemplate"),
  }));
}

export async function runScripted(script: string): Promise<Counted[]> {
  const cases = scriptedCases(script);
  const prepared = cases.map((each) => ({ each, ...loaded(each.files, dirname(script)) }));
  const rego = await compiled(prepared.flatMap(({ imported }) => imported.policies));
  return prepared.map(({ each, objects, imported, unreadable }) => ({
    folder: "test",
    id: each.name,
    outcome: saidOf(each, objects, imported, unreadable, rego),
  }));
}

function loaded(files: readonly string[], folder: string) {
  const objects: unknown[] = [];
  const unreadable: string[] = [];
  for (const file of files.flatMap((name) => below(join(folder, name))))
    try {
      objects.push(...parseManifests(readFileSync(file, "utf8"), file));
    } catch (error) {
      unreadable.push(String(error));
    }
  return { objects, unreadable, imported: importPolicies({ objects: [...objects, syncSetOf(objects)] }) };
}

function below(path: string): string[] {
  if (/\.\w+$/.test(path)) return [path];
  return readdirSync(path)
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function saidOf(
  { isRefused, messages }: Scripted,
  objects: readonly unknown[],
  imported: ReturnType<typeof importPolicies>,
  unreadable: readonly string[],
  rego: Awaited<ReturnType<typeof compiled>>,
): Said {
  const isExpanded = objects.some((object) => textAt(object, "kind") === "ExpansionTemplate");
  if (isExpanded) return noVerdict("no objects are made up", "ExpansionTemplate");
  const held = new HeldPolicies(imported.policies, { ...environment, rego });
  const problems = [
    ...unreadable,
    ...imported.notes.filter(({ severity }) => severity === "error").map(({ message }) => message),
    ...held.problems.values(),
  ];
  const violations = objects.flatMap((object) => {
    const request = requestFor(object, definedResources(objects));
    if (typeof request === "string") return [];
    const { policies } = held.hold(request, { objects, now: environment.now });
    return policies.flatMap(({ policy, violations: texts, problem }) => {
      const all = problem === undefined ? texts : [...texts, problem];
      return all.map((text) => ({ policy, text }));
    });
  });
  const denies = new Set(
    imported.policies
      .filter(({ policy }) => policy.spec.actions.admission === "deny")
      .map(({ policy }) => policy.metadata.name),
  );
  const refused = problems.length > 0 || violations.some(({ policy }) => denies.has(policy));
  const said = [...problems, ...violations.map(({ text }) => text)].join("; ");
  if (refused !== isRefused) return failed(`expected ${isRefused ? "a refusal" : "none"}: ${said}`, true);
  const missing = messages.find((message) => !said.includes(message));
  return missing === undefined ? passed(said, true) : failed(`expected "${missing}": ${said}`, true);
}

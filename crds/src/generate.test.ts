import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { customResourceDefinition } from "./definition/custom-resource-definition.ts";
import { crdYaml, generatedFiles, main, staleFiles } from "./generate.ts";
import { kinds } from "./kinds.ts";
import type { StructuralSchema } from "./structural/structural-schema.ts";

describe("generated files", () => {
  it("are the same on every run", () => {
    expect(generatedFiles()).toEqual(generatedFiles());
  });

  it("in the repository are up to date", async () => {
    expect(await staleFiles(fileURLToPath(new URL("../../", import.meta.url)), generatedFiles())).toEqual([]);
  });

  it("put words in quotes that kubectl would read as booleans", () => {
    for (const kind of kinds) expect(crdYaml(kind)).not.toMatch(/^\s*- (off|on|yes|no|y|n)$/im);
  });

  it("describe every field and bound every string, list and map", () => {
    for (const kind of kinds) {
      const root = customResourceDefinition(kind).spec.versions[0]?.schema.openAPIV3Schema ?? {};
      for (const part of ["spec", "status"]) visit(root.properties?.[part] ?? {}, part);
    }
    function visit(schema: StructuralSchema, path: string): void {
      expect(schema.description, path).toBeTruthy();
      if (schema.type === "string" && schema.enum === undefined && schema.format === undefined)
        expect(schema.maxLength, path).toBeGreaterThan(0);
      if (schema.type === "array") {
        expect(schema.maxItems, path).toBeGreaterThan(0);
        expect(schema["x-kubernetes-list-type"], path).toBeDefined();
      }
      for (const [name, child] of Object.entries(schema.properties ?? {})) visit(child, `${path}.${name}`);
      if (schema.items !== undefined) visit(schema.items, `${path}[]`);
      if (schema.additionalProperties !== undefined) {
        expect(schema.maxProperties, path).toBeGreaterThan(0);
        visit(schema.additionalProperties, `${path}{}`);
      }
    }
  });

  it("give no default inside an atomic list, which Argo CD would take for drift for ever", () => {
    for (const kind of kinds) {
      const root = customResourceDefinition(kind).spec.versions[0]?.schema.openAPIV3Schema ?? {};
      visit(root, kind.kind, false);
    }
    function visit(schema: StructuralSchema, path: string, isInAtomicList: boolean): void {
      if (isInAtomicList) expect(schema, path).not.toHaveProperty("default");
      for (const [name, child] of Object.entries(schema.properties ?? {}))
        visit(child, `${path}.${name}`, isInAtomicList);
      const isAtomic = isInAtomicList || schema["x-kubernetes-list-type"] === "atomic";
      if (schema.items !== undefined) visit(schema.items, `${path}[]`, isAtomic);
    }
  });

  it("have a reference that names every field", () => {
    const page = generatedFiles()["docs/reference/api.md"] ?? "";
    for (const name of ["matchConstraints", "worstOffenders", "expiresAt", "exemptions", "ENFORCED BY"])
      expect(page).toContain(name);
    for (const line of page.split("\n").filter((text) => text.startsWith("| `"))) {
      expect(line.split(/(?<!\\)\|/)).toHaveLength(6);
    }
  });
});

describe("the command", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "shieldx-generate-"));
    vi.spyOn(console, "log").mockImplementation(() => undefined);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(root, { recursive: true });
  });

  it("writes the files, and with --check names the one that was edited", async () => {
    const complaints = vi.spyOn(console, "error").mockImplementation(() => undefined);
    expect(await main(["--check"], root)).toBe(1);
    expect(await main([], root)).toBe(0);
    expect(await main(["--check"], root)).toBe(0);
    await writeFile(join(root, "crds/generated/shieldpolicies.yaml"), "edited");
    complaints.mockClear();
    expect(await main(["--check"], root)).toBe(1);
    expect(complaints).toHaveBeenCalledExactlyOnceWith(
      "crds/generated/shieldpolicies.yaml is stale: run make generate",
    );
  });
});

/** What is in the image besides our own sources: npm packages in the bundle, Node, Debian libraries; Go modules: go-modules.ts. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { debianPackage } from "../../e2e/cluster/image/debian.ts";
import { debianLicences, refusalOf } from "./licences.ts";

export interface Component {
  readonly kind: "npm" | "node" | "deb" | "go";
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly licence: string;
  readonly purl: string;
  /** Of what was downloaded: a lockfile's `integrity` or Debian's SHA256, as algorithm and hex. */
  readonly hash: { readonly algorithm: "SHA-256" | "SHA-512"; readonly hex: string } | undefined;
}

/** Thrown when something may not be shipped; the message names all of it. */
export class LicenceError extends Error {
  readonly code = "RELEASE_LICENCE";
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>;
}

/** The npm packages of which at least one file went into a bundle. Throws LicenceError. */
export function npmComponents(inputs: readonly string[]): Component[] {
  const lockfile = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lockfile;
  const folders = new Set(inputs.flatMap((path) => packageFolder(path) ?? []));
  const refusals: string[] = [];
  const components = [...folders].sort().map((folder): Component => {
    const read = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as {
      name: string;
      version: string;
      license?: string;
    };
    const refusal = refusalOf(read.license);
    if (refusal !== undefined) refusals.push(`${read.name} ${read.version} ${refusal}`);
    return {
      kind: "npm",
      name: read.name,
      version: read.version,
      licence: read.license ?? "",
      purl: `pkg:npm/${read.name.replace("@", "%40")}@${read.version}`,
      hash: hashOf(lockfile.packages[folder]?.integrity),
    };
  });
  if (refusals.length > 0) throw new LicenceError(`may not be linked: ${refusals.join("; ")}`);
  return components;
}

/** `node_modules/@scope/name`, the innermost one of a path; undefined for our own sources. */
export function packageFolder(path: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}

function hashOf(integrity: string | undefined): Component["hash"] {
  const [algorithm, base64] = integrity?.split("-") ?? [];
  if (algorithm !== "sha512" || base64 === undefined) return undefined;
  return { algorithm: "SHA-512", hex: Buffer.from(base64, "base64").toString("hex") };
}

/** The Node binary of the image, from npm's package for this platform. */
export function nodeComponent(): Component {
  const folder = `node_modules/node-linux-${process.arch}`;
  const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { version: string };
  const lockfile = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lockfile;
  const hash = hashOf(lockfile.packages[folder]?.integrity);
  return {
    kind: "node",
    name: "node",
    version,
    licence: "MIT",
    purl: `pkg:generic/node@${version}?arch=${process.arch}`,
    hash,
  };
}

/** Throws LicenceError for a package whose licence nobody has read, or that is not the one that was read. */
export async function debianComponents(names: readonly string[]): Promise<Component[]> {
  return await Promise.all(
    names.map(async (name): Promise<Component> => {
      const known = debianLicences[name];
      const found = await debianPackage(name);
      if (known === undefined) throw new LicenceError(`${name}: read its licence and add it to licences.ts`);
      const text = await readFile(found.copyright, "utf8");
      if (!known.evidence.test(text)) {
        throw new LicenceError(`${name}: ${found.copyright} does not speak of ${known.expression} any more`);
      }
      const purl = `pkg:deb/debian/${name.replaceAll("+", "%2B")}@${found.version}?arch=${found.architecture}`;
      return {
        kind: "deb",
        name,
        version: found.version,
        licence: known.expression,
        purl,
        hash: { algorithm: "SHA-256", hex: found.sha256 },
      };
    }),
  );
}

/** The policy library in `policies/`, read as `shieldctl` reads it, with what its annotations say for people. */
import { globSync, readFileSync } from "node:fs";
import { parseManifests, parseShieldPolicy, type ShieldPolicy } from "@shieldx/crds";

const root = new URL("../../../", import.meta.url).pathname;
const prefix = "policies.shieldx.io/";

export const SEVERITIES = ["critical", "high", "medium", "low"] as const;

/** In the order in which people read them. */
export const CATEGORIES = [
  "pod-security",
  "workload",
  "supply-chain",
  "rbac",
  "network",
  "ingress",
  "tenancy",
  "cluster",
  "cost",
] as const;

export interface LibraryPolicy {
  /** From the root of the repository. */
  readonly file: string;
  readonly folder: string;
  readonly name: string;
  readonly policy: ShieldPolicy;
  readonly title: string;
  readonly category: string;
  readonly severity: string;
  readonly description: string;
  readonly remedy: string;
  /** `CIS-5.2.2` (CIS Kubernetes Benchmark 1.8), `NSA-pod-security` (chapters of the NSA/CISA guide 1.2), `MITRE-T1611`. */
  readonly controls: readonly string[];
  /** Annotations under the prefix that none of the above comes from. */
  readonly unknownAnnotations: readonly string[];
}

const known = ["title", "category", "severity", "description", "remedy", "controls"];

/** All of it, by category and name. Throws for a file that holds no valid ShieldPolicy. */
export function readLibrary(): LibraryPolicy[] {
  const files = globSync("policies/**/*.yaml", { cwd: root }).sort();
  return files.flatMap((file) =>
    parseManifests(readFileSync(`${root}${file}`, "utf8"), file).map((object) => {
      const policy = parseShieldPolicy(object);
      const annotations = policy.metadata.annotations ?? {};
      const say = (key: string): string => annotations[`${prefix}${key}`] ?? "";
      return {
        file,
        folder: file.split("/").at(-2) ?? "",
        name: policy.metadata.name,
        policy,
        title: say("title"),
        category: say("category"),
        severity: say("severity"),
        description: say("description"),
        remedy: say("remedy"),
        controls: say("controls") === "" ? [] : say("controls").split(", "),
        unknownAnnotations: Object.keys(annotations).filter(
          (key) => key.startsWith(prefix) && !known.includes(key.slice(prefix.length)),
        ),
      };
    }),
  );
}

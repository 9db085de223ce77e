/** Where the artifacts come from: an in-toto statement with a SLSA v1 provenance predicate. */
import type { Component } from "./components.ts";

export interface Subject {
  readonly name: string;
  readonly sha256: string;
}

export interface Origin {
  readonly version: string;
  readonly repository: string;
  readonly commit: string;
  /** Whether files were changed after the commit: such artifacts are for trying out only. */
  readonly isDirty: boolean;
  /** Who built: a URI. */
  readonly builder: string;
  readonly lockfileSha256: string;
  readonly components: readonly Component[];
}

export function provenanceOf(origin: Origin, subjects: readonly Subject[]): string {
  const source = { uri: `git+${origin.repository}`, digest: { gitCommit: origin.commit } };
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "https://shieldx.io/build/make-release/v1",
        externalParameters: { target: "release", version: origin.version, source: source.uri },
        internalParameters: { workingTreeChanged: origin.isDirty },
        resolvedDependencies: [
          source,
          { name: "package-lock.json", digest: { sha256: origin.lockfileSha256 } },
          ...origin.components.map(({ name, purl, hash }) => ({
            name,
            uri: purl,
            ...(hash === undefined
              ? {}
              : { digest: { [hash.algorithm.toLowerCase().replace("-", "")]: hash.hex } }),
          })),
        ],
      },
      // No times: the same sources give the same statement.
      runDetails: { builder: { id: origin.builder } },
    },
  };
  return `${JSON.stringify(statement, null, 2)}\n`;
}

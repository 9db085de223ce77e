/** The bill of materials as CycloneDX 1.6: what is in the image, from where, under which licence. */
import { createHash } from "node:crypto";
import type { Component } from "./components.ts";

export interface SbomSubject {
  readonly version: string;
  readonly commit: string;
  /** ISO 8601, of the commit: the same sources give the same document. */
  readonly committedAt: string;
  /** `sha256:…` of the image's manifest. */
  readonly imageDigest: string;
}

export function sbomOf(subject: SbomSubject, components: readonly Component[]): string {
  const root = `pkg:oci/shieldx@${subject.imageDigest.replace(":", "%3A")}`;
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidFrom([subject.imageDigest, subject.commit].join("\n"))}`,
    version: 1,
    metadata: {
      timestamp: subject.committedAt,
      component: {
        type: "container",
        "bom-ref": root,
        name: "shieldx",
        version: subject.version,
        purl: root,
        hashes: [{ alg: "SHA-256", content: subject.imageDigest.replace("sha256:", "") }],
        licenses: [{ expression: "Apache-2.0" }],
      },
    },
    components: components.map((component) => ({
      type: component.kind === "node" ? "platform" : "library",
      "bom-ref": component.purl,
      name: component.name,
      version: component.version,
      purl: component.purl,
      licenses: [{ expression: component.licence }],
      ...(component.hash === undefined
        ? {}
        : { hashes: [{ alg: component.hash.algorithm, content: component.hash.hex }] }),
    })),
    dependencies: [{ ref: root, dependsOn: components.map(({ purl }) => purl) }],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** A version 8 UUID (RFC 9562): custom, here from a hash. */
function uuidFrom(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes.writeUInt8(((bytes[6] ?? 0) & 0x0f) | 0x80, 6);
  bytes.writeUInt8(((bytes[8] ?? 0) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

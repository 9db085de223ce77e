/** What policies are measured on: objects as they would be created, and recorded requests. */
import { type AdmissionRequestLike, requestToCreate } from "@shieldx/policy-engine";
import type { Manifest } from "../manifests/read.ts";
import { isReview } from "../policy-explain/subject.ts";
import { isAuditEvent } from "../policy-replay/audit-event.ts";
import { manifestsIn, requestIn } from "../policy-replay/records.ts";

export interface MeasuredRequest {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly request: AdmissionRequestLike;
}

export interface MeasuredRequests {
  readonly requests: readonly MeasuredRequest[];
  /** All objects given: namespaces and parameters may be among them. */
  readonly objects: readonly unknown[];
}

/** Throws UsageError naming file and line of what cannot be read. */
export async function readRequests(paths: readonly string[]): Promise<MeasuredRequests> {
  const manifests: Manifest[] = [];
  for (const path of paths) manifests.push(...(await manifestsIn(path)));
  const isRecord = (manifest: Manifest): boolean => isReview(manifest) || isAuditEvent(manifest);
  const objects = manifests.filter((manifest) => !isRecord(manifest)).map(({ object }) => object);
  const create = requestToCreate(objects);
  const requests = manifests.flatMap((manifest): MeasuredRequest[] => {
    const { file, line, object } = manifest;
    const request = isRecord(manifest) ? requestIn(manifest) : create(object);
    // Records that say too little, such as reads in an audit log, are no requests to measure by.
    return typeof request === "object" ? [{ file, line, request }] : [];
  });
  return { requests, objects };
}

import { ConfigMap, type Manager } from "@shieldx/controller-runtime";
import { findingsConfigMap } from "../watched.ts";
import { type FindingsRecord, parseRecord, RECORD_KEY } from "./record.ts";

export interface StoredFindings {
  /** undefined where there is no record yet, or none that can be read. */
  current(): FindingsRecord | undefined;
  hasSynced(): boolean;
}

/** The record as the API server has it, on standbys too; each version of it is read once. */
export function storedFindings(manager: Pick<Manager, "informer">, namespace: string): StoredFindings {
  const informer = manager.informer(ConfigMap, findingsConfigMap(namespace));
  const parsed = new WeakMap<object, { readonly record: FindingsRecord | undefined }>();
  return {
    hasSynced: () => informer.hasSynced,
    current: () => {
      const [object] = informer.store.list();
      if (object === undefined) return undefined;
      const known = parsed.get(object) ?? { record: parseRecord(object.data?.[RECORD_KEY]) };
      parsed.set(object, known);
      return known.record;
    },
  };
}

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A full collection when the runtime allows it, with or without --expose-gc; undefined when it does not. */
export function collector(): (() => void) | undefined {
  if (typeof globalThis.gc === "function") return () => void globalThis.gc?.();
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
  return typeof collect === "function" ? () => void collect() : undefined;
}

/** UTF-8, and nothing else: what OPA would read as replacement characters is refused. */
import { BundleError } from "./errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @param what to blame: the path of a file. @throws BundleError */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new BundleError("INVALID_FILE", "is not UTF-8 text", { file: what, cause: error });
  }
}

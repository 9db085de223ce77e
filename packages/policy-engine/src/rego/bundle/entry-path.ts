/** Paths of files in a bundle. OPA writes them with a leading slash, `tar` with a leading `./` or nothing. */
import { BundleError } from "./errors.ts";
import type { BundleLimits } from "./limits.ts";

/**
 * Without what may stand before it; undefined for the archive's top folder. Nothing is resolved: a path that would have
 * to be is refused, so that no two paths mean one file. @throws BundleError
 */
export function plainPath(path: string, limits: BundleLimits): string | undefined {
  const shown = JSON.stringify(path.slice(0, 200));
  if (Buffer.byteLength(path) > limits.pathBytes)
    throw new BundleError("LIMIT_EXCEEDED", `the path ${shown} is longer than ${limits.pathBytes} bytes`);
  let rest = path;
  if (rest.startsWith("./")) rest = rest.slice(2);
  else if (rest.startsWith("/")) rest = rest.slice(1);
  if (rest === "" || rest === ".") return undefined;
  if (hasControl(rest) || rest.includes("\\"))
    throw new BundleError("INVALID_ARCHIVE", `the path ${shown} has a backslash or control character`);
  const parts = rest.split("/");
  if (parts.length > limits.depth)
    throw new BundleError("LIMIT_EXCEEDED", `the path ${shown} is more than ${limits.depth} folders deep`);
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw new BundleError(
      "INVALID_ARCHIVE",
      `the path ${shown} is not plain: it has "..", "." or "//" in it`,
    );
  return rest;
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit === 0x7f) return true;
  }
  return false;
}

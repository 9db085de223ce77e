/** Where built binaries live: outside the checkout, so that a clean clone or `git clean` does not cost twelve minutes. */
import { homedir, tmpdir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";

/** `$SHIELDX_CACHE`, else `$XDG_CACHE_HOME/shieldx`, else `~/.cache/shieldx` (a user without a home gets one under the temporary folder). */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SHIELDX_CACHE) return env.SHIELDX_CACHE;
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return join(env.XDG_CACHE_HOME, "shieldx");
  const home = env.HOME || homedir();
  if (home === "" || home === "/" || home === "/nonexistent") {
    return join(tmpdir(), `shieldx-cache-${userInfo().uid}`);
  }
  return join(home, ".cache", "shieldx");
}

/** Credentials from a Secret as of type kubernetes.io/dockerconfigjson. Nothing of it goes into messages. */
import { isJsonObject } from "../../pod-security/shape-reader.ts";
import { normalizedRegistry } from "../reference.ts";
import { ownOf, parseObject, textOf } from "./documents.ts";
import { RegistryError } from "./errors.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Those for one registry: what a Secret holds for others stays with it.
 * @throws RegistryError saying what to correct
 */
export function credentialsOf(dockerConfig: string, registry: string, what: string): Credentials {
  const auths = ownOf(parseObject(Buffer.from(dockerConfig), what), "auths");
  const [, entry] =
    Object.entries(isJsonObject(auths) ? auths : {}).find(([key]) => registryOf(key) === registry) ?? [];
  if (!isJsonObject(entry))
    throw new RegistryError(`${what} has no credentials for ${registry}: add them under auths`);
  const username = textOf(entry, "username");
  const password = textOf(entry, "password");
  if (username !== undefined && password !== undefined) return { username, password };
  const decoded = Buffer.from(textOf(entry, "auth") ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 1)
    throw new RegistryError(
      `${what} has no user name and password for ${registry}: write them as auth or as username and password`,
    );
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Keys are hosts, or URLs as `docker login` wrote them: `https://index.docker.io/v1/`. */
function registryOf(key: string): string {
  const withoutScheme = key.replace(/^https?:\/\//, "");
  const slash = withoutScheme.indexOf("/");
  return normalizedRegistry(slash < 0 ? withoutScheme : withoutScheme.slice(0, slash));
}

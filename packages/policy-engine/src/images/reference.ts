/**
 * References to images as kubelets read them (distribution/reference, "Grammar"), in the one spelling that is compared: an
 * image that a policy is about must not escape it by being written otherwise.
 */

export interface ImageReference {
  /** `docker.io` where none is named; in lower case, with the port unless it is 443. */
  readonly registry: string;
  /** With `library/` where Docker Hub's own images are named without. */
  readonly repository: string;
  /** `latest` where neither tag nor digest is given. */
  readonly tag: string | undefined;
  /** `sha256:…`; it decides, whatever the tag says. */
  readonly digest: string | undefined;
}

export class ImageReferenceError extends Error {
  override readonly name = "ImageReferenceError";
}

/** Of registry and repository (distribution/reference, `RepositoryNameTotalLengthMax`). */
const longestName = 255;
/** Name, tag and digest. */
const longestReference = longestName + 1 + 128 + 1 + 71;

const dockerHub = "docker.io";
const dockerHubAliases: ReadonlySet<string> = new Set(["index.docker.io", "registry-1.docker.io"]);

/** @throws ImageReferenceError saying what is wrong */
export function parseImageReference(text: string): ImageReference {
  if (text.length > longestReference)
    throw new ImageReferenceError("is too long for a reference to an image");
  const [named = "", digest, ...more] = text.split("@");
  if (more.length > 0) throw new ImageReferenceError("holds more than one @");
  if (digest !== undefined && !isDigest(digest))
    throw new ImageReferenceError("has a digest that is not sha256: and 64 hexadecimal digits");
  // A colon after the last slash is a tag's; one before it is a port's.
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(tag))
    throw new ImageReferenceError("has a malformed tag");
  const { registry, path } = splitName(name);
  const repository = registry === dockerHub && !path.includes("/") ? `library/${path}` : path;
  if (registry.length + 1 + repository.length > longestName)
    throw new ImageReferenceError(`names a repository longer than ${longestName} characters`);
  if (!repository.split("/").every(isPathComponent))
    throw new ImageReferenceError("names no repository as registries spell them, in lower case");
  return { registry, repository, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

/** The first part is a host where it could not be a repository's (distribution/reference, `splitDockerDomain`); capitals alone make none here. */
function splitName(name: string): { readonly registry: string; readonly path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isHost = /[.:]/.test(first) || first.toLowerCase() === "localhost";
  if (!isHost) return { registry: dockerHub, path: name };
  if (!isHostAndPort(first)) throw new ImageReferenceError("names no registry: its host is malformed");
  return { registry: normalizedRegistry(first), path: name.slice(slash + 1) };
}

/** One spelling for each registry. */
export function normalizedRegistry(host: string): string {
  const lower = host.toLowerCase();
  const withoutPort = lower.endsWith(":443") ? lower.slice(0, -":443".length) : lower;
  return dockerHubAliases.has(withoutPort) ? dockerHub : withoutPort;
}

/** What an image is pulled by once its digest is known. The tag stays for people: runtimes go by the digest. */
export function pinned(text: string, digest: string): string {
  return `${text}@${digest}`;
}

/** Registry and repository, and the digest or the tag. */
export function shownReference({ registry, repository, tag, digest }: ImageReference): string {
  return `${registry}/${repository}${digest === undefined ? `:${tag ?? "latest"}` : `@${digest}`}`;
}

export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function isHostAndPort(text: string): boolean {
  const bracket = text.lastIndexOf("]");
  const colon = text.indexOf(":", bracket + 1);
  const [host, port] = colon < 0 ? [text, "1"] : [text.slice(0, colon), text.slice(colon + 1)];
  if (!/^\d{1,5}$/.test(port)) return false;
  if (bracket >= 0) return /^\[[0-9a-fA-F:]{2,45}\]$/.test(host);
  return host.split(".").every(isLabel);
}

function isLabel(label: string): boolean {
  return /^[A-Za-z0-9-]+$/.test(label) && !label.startsWith("-") && !label.endsWith("-");
}

/** Letters and digits, joined by one dot, one or two underscores, or dashes. */
function isPathComponent(component: string): boolean {
  const joints = component.split(/[a-z0-9]+/);
  return (
    joints.length > 1 &&
    joints[0] === "" &&
    joints.at(-1) === "" &&
    joints
      .slice(1, -1)
      .every((joint) => joint === "." || joint === "_" || joint === "__" || /^-+$/.test(joint))
  );
}

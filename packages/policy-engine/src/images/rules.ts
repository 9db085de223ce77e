/** `spec.verifyImages`, checked and prepared: what is wrong with it is told when the policy is applied. */
import { createHash, type KeyObject } from "node:crypto";
import type { VerifyImagesSpec } from "@shieldx/crds";
import { type AllowedHost, AllowedHostError, parseAllowedHost } from "../rego/calls/index.ts";
import { type Identity, IdentityError, parseIdentity } from "./identity.ts";
import { type ImagePattern, ImagePatternError, parseImagePattern } from "./pattern.ts";
import { certificatesOf, type PemBlock, PemError, publicKeyOf } from "./pem.ts";
import { normalizedRegistry } from "./reference.ts";

/** How one registry is reached. */
export interface Registry {
  /** As images name it. */
  readonly name: string;
  readonly at: AllowedHost;
  readonly ca: string | undefined;
  readonly credentials: { readonly name: string; readonly key: string } | undefined;
  /** Besides the registry itself. */
  readonly tokenHosts: readonly AllowedHost[];
  readonly redirectHosts: readonly AllowedHost[];
  /** Equal for registries reached in the same way. */
  readonly digest: string;
}

export interface CertificateSigners {
  /** Roots and intermediates. */
  readonly authorities: readonly PemBlock[];
  readonly identities: readonly Identity[];
  readonly transparencyLogs: readonly KeyObject[];
  readonly timestampAuthorities: readonly (readonly PemBlock[])[];
}

export interface ImageRule {
  readonly name: string;
  readonly patterns: readonly ImagePattern[];
  readonly keys: readonly KeyObject[];
  readonly certificates: CertificateSigners | undefined;
  /** Equal for rules that are kept by the same signatures. */
  readonly digest: string;
}

export interface CompiledImages {
  readonly rules: readonly ImageRule[];
  /** By the name that images give them. */
  readonly registries: ReadonlyMap<string, Registry>;
  readonly refusesOthers: boolean;
  /** Tags are replaced. */
  readonly pins: boolean;
  readonly timeoutMs: number;
}

/** Something in `spec.verifyImages` cannot be meant; `path` begins there. */
export class ImageRulesError extends Error {
  override readonly name = "ImageRulesError";
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** @throws ImageRulesError */
export function compileImages(spec: VerifyImagesSpec, pins: boolean): CompiledImages {
  const rules = spec.rules.map((rule, at) => compileRule(rule, `rules[${at}]`));
  const listed = (spec.registries ?? []).map((registry, at) =>
    compileRegistry(registry, `registries[${at}]`),
  );
  const registries = new Map(listed.map((registry) => [registry.name, registry]));
  for (const { patterns } of rules)
    for (const { registry } of patterns)
      if (registry !== undefined && !registries.has(registry))
        registries.set(registry, compileRegistry({ host: registry, plainHTTP: false }, "rules"));
  return {
    rules,
    registries,
    refusesOthers: spec.otherImages === "Deny",
    pins,
    timeoutMs: spec.timeoutSeconds * 1_000,
  };
}

type RuleSpec = VerifyImagesSpec["rules"][number];

function compileRule({ name, images, keys = [], certificates }: RuleSpec, path: string): ImageRule {
  if (keys.length === 0 && certificates === undefined)
    throw new ImageRulesError(path, "says not who must have signed: add keys or certificates");
  return {
    name,
    patterns: images.map((text, at) => naming(`${path}.images[${at}]`, () => parseImagePattern(text))),
    keys: keys.map((pem, at) => naming(`${path}.keys[${at}]`, () => publicKeyOf(pem))),
    certificates: certificates && compileCertificates(certificates, `${path}.certificates`),
    digest: digestOf({ keys, certificates }),
  };
}

function compileCertificates(spec: NonNullable<RuleSpec["certificates"]>, path: string): CertificateSigners {
  const { roots, identities, transparencyLogs = [], timestampAuthorities = [] } = spec;
  const authorities = naming(`${path}.roots`, () => certificatesOf(roots));
  if (!authorities.some(({ certificate }) => certificate.checkIssued(certificate)))
    throw new ImageRulesError(
      `${path}.roots`,
      "holds no root, which is a certificate that is its own issuer: add it",
    );
  return {
    authorities,
    identities: identities.map((identity, at) =>
      naming(`${path}.identities[${at}]`, () => parseIdentity(identity)),
    ),
    transparencyLogs: transparencyLogs.map((pem, at) =>
      naming(`${path}.transparencyLogs[${at}]`, () => publicKeyOf(pem)),
    ),
    timestampAuthorities: timestampAuthorities.map((pem, at) =>
      naming(`${path}.timestampAuthorities[${at}]`, () => certificatesOf(pem)),
    ),
  };
}

type RegistrySpec = NonNullable<VerifyImagesSpec["registries"]>[number];

/** Where Docker Hub serves what is named docker.io, and its tokens. */
const dockerHub = { api: "registry-1.docker.io", tokens: "auth.docker.io" };

function compileRegistry(spec: RegistrySpec, path: string): Registry {
  const {
    host,
    plainHTTP,
    certificateAuthorities: ca,
    pullSecretRef,
    tokenHosts = [],
    redirectHosts = [],
  } = spec;
  const name = normalizedRegistry(host);
  if (name !== host) throw new ImageRulesError(`${path}.host`, `is another spelling of ${name}: write that`);
  const isDockerHub = name === "docker.io";
  if (ca !== undefined) naming(`${path}.certificateAuthorities`, () => certificatesOf(ca));
  const hosts = (list: readonly string[], field: string) =>
    list.map((text, at) => naming(`${path}.${field}[${at}]`, () => parseAllowedHost(text)));
  return {
    name,
    at: naming(`${path}.host`, () =>
      parseAllowedHost(`${plainHTTP ? "http://" : ""}${isDockerHub ? dockerHub.api : host}`),
    ),
    ca,
    credentials: pullSecretRef,
    tokenHosts: hosts([...(isDockerHub ? [dockerHub.tokens] : []), ...tokenHosts], "tokenHosts"),
    redirectHosts: hosts(redirectHosts, "redirectHosts"),
    digest: digestOf(spec),
  };
}

function naming<T>(path: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (
      error instanceof AllowedHostError ||
      error instanceof ImagePatternError ||
      error instanceof PemError ||
      error instanceof IdentityError
    )
      throw new ImageRulesError(path, error.message);
    throw error;
  }
}

function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64");
}

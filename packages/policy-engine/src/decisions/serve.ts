/** Compiles policies so that each of their documents can be asked for. */
import {
  builtins,
  type CompileRequest,
  compileRego,
  conflictingPath,
  MissingBuiltinsError,
  type PlainObject,
  planName,
  type RegoCompiler,
  type RegoPlan,
} from "../rego/index.ts";
import type { ServedDocument, ServedPolicy } from "./documents.ts";
import { packagePath } from "./package-path.ts";

export interface PolicyToServe {
  readonly name: string;
  /** Source by file name. */
  readonly modules: Readonly<Record<string, string>>;
  /** Of modules that `versions` does not name; default v1. */
  readonly regoVersion?: "v0" | "v1";
  /** By file name: modules that are written in another version. */
  readonly versions?: Readonly<Record<string, "v0" | "v1">>;
  /** What came with the modules, where they are a bundle. */
  readonly bundle?: ServedBundle;
}

/** What a bundle brings besides its modules. */
export interface ServedBundle {
  /** What it calls itself; empty where it does not. */
  readonly revision: string;
  /** Without slashes at their ends; `""` is all of `data`. */
  readonly roots: readonly string[];
  readonly data: PlainObject;
}

/** Why a policy cannot be served, in words for whoever wrote it. */
export interface ServeProblem {
  readonly policy: string;
  readonly message: string;
  /** Whether the compiler failed, and not the policy: trying again may help. */
  readonly mayPass?: boolean;
}

export type ServeOutcome =
  | { readonly ok: true; readonly policy: ServedPolicy }
  | { readonly ok: false; readonly problem: ServeProblem };

/** Built-ins that would reach out of the process. */
const reachingOut: ReadonlySet<string> = new Set(["http.send", "net.lookup_ip_addr"]);

/** Documents of one policy. */
const mostDocuments = 2_000;

/** @throws CompilerUnavailableError, and what the compiler's cache throws */
export async function servePolicy(compiler: RegoCompiler, policy: PolicyToServe): Promise<ServeOutcome> {
  const refuse = (message: string, mayPass = false): ServeOutcome => ({
    ok: false,
    problem: { policy: policy.name, message, mayPass },
  });
  const packages = distinctPackages(policy.modules);
  if (packages.length === 0) return refuse("no module declares a package such as `package app.authz`");
  const odd = packages.find((path) => !path.every((name) => /^[A-Za-z_]\w*$/.test(name)));
  if (odd !== undefined)
    return refuse(`package ${odd.join(".")}: a package that is served may have letters, digits and _ only`);
  const { modules, regoVersion = "v1", versions = {} } = policy;
  const request = {
    modules,
    regoVersion,
    versions,
    builtins: [...builtins.keys()].filter((name) => !reachingOut.has(name)),
  };
  // The plan of a whole package names its rules; each of them is then made a document of its own.
  const whole = await compileOne(compiler, { ...request, entrypoints: packages.map(referenceTo) });
  if (!whole.ok) return refuse(whole.message, whole.mayPass);
  const documents = documentsOf(whole.plan, packages);
  if (documents.length > mostDocuments)
    return refuse(`it has ${documents.length} rules and packages; at most ${mostDocuments} can be served`);
  const each = await compileOne(compiler, {
    ...request,
    entrypoints: documents.map(({ path }) => referenceTo(path)),
  });
  if (!each.ok) return refuse(each.message, each.mayPass);
  let rego: ServedPolicy["rego"];
  try {
    rego = compileRego(each.plan, builtins);
  } catch (error) {
    // What is in the policy's source, such as a number of thousands of digits.
    if (error instanceof MissingBuiltinsError || error instanceof RangeError) return refuse(error.message);
    throw error;
  }
  const { digest } = each;
  const served = { name: policy.name, digest, revision: digest, rego, packages, documents };
  return policy.bundle === undefined ? { ok: true, policy: served } : withBundle(served, policy.bundle);
}

/**
 * The same rules over the documents of a bundle: of that they were compiled from, or of one that brings the same modules
 * and other data.
 */
export function withBundle(policy: ServedPolicy, { revision, roots, data }: ServedBundle): ServeOutcome {
  const rules = policy.documents.filter(({ isRule }) => isRule).map(({ path }) => path);
  const conflict = conflictingPath(data, rules);
  if (conflict !== undefined) {
    const message = `rule ${referenceTo(conflict)} conflicts with the data of the bundle: there is a document at that place, or above it, already`;
    return { ok: false, problem: { policy: policy.name, message } };
  }
  return {
    ok: true,
    policy: {
      ...policy,
      revision: revision === "" ? policy.digest : revision,
      data,
      roots: roots.map((root) => (root === "" ? [] : root.split("/"))),
    },
  };
}

function distinctPackages(modules: PolicyToServe["modules"]): (readonly string[])[] {
  const found = new Map<string, readonly string[]>();
  for (const source of Object.values(modules)) {
    const path = packagePath(source);
    if (path !== undefined) found.set(path.join("."), path);
  }
  return [...found.values()];
}

const referenceTo = (path: readonly string[]): string => `data.${path.join(".")}`;

async function compileOne(
  compiler: RegoCompiler,
  request: CompileRequest,
): Promise<{ ok: true; plan: RegoPlan; digest: string } | { ok: false; message: string; mayPass: boolean }> {
  const [outcome] = await compiler.compile([request]);
  if (outcome?.ok === true) return outcome;
  const [first, ...others] = outcome?.problems ?? [];
  if (first === undefined) return { ok: false, message: "the compiler gave no answer", mayPass: true };
  const { code, message, file, row, col } = first;
  const place = file === undefined || row === undefined ? "" : `${file}:${row}:${col ?? 1}: `;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  // Such as compiler_timeout, on a machine that is busy.
  const mayPass = code.startsWith("compiler_");
  return { ok: false, message: `${place}${code}: ${message}${more}`, mayPass };
}

/** Packages, rules, and what lies between them where a rule is called `a.b`. Functions are no documents. */
function documentsOf(plan: RegoPlan, packages: readonly (readonly string[])[]): ServedDocument[] {
  const found = new Map<string, ServedDocument>();
  const add = (path: readonly string[], isRule: boolean): void => {
    const reference = referenceTo(path);
    if (!isName(path) || found.has(reference)) return;
    found.set(reference, { path, entrypoint: planName(reference), isRule });
  };
  for (const { params, path } of plan.functions) {
    // A rule takes input and data; its path begins with the planner's generation (OPA's v1/ir).
    if (params.length === 2 && path.length > 1) add(path.slice(1), true);
  }
  for (const rule of [...found.values()]) {
    const home = packages
      .filter((path) => path.every((name, at) => name === rule.path[at]))
      .reduce((most, path) => Math.max(most, path.length), 0);
    for (let length = Math.max(1, home); length < rule.path.length; length++)
      add(rule.path.slice(0, length), false);
  }
  for (const path of packages) add(path, false);
  return [...found.values()];
}

/** A rule with a name the compiler's references cannot spell is part of its package's document only. */
function isName(path: readonly string[]): boolean {
  return path.every((name) => /^[A-Za-z_]\w*$/.test(name));
}

import { realClock } from "@shieldx/controller-runtime";
import type { ShieldPolicy } from "@shieldx/crds";
import { compilerBeside, openRegoPolicies, type RegoLookup } from "@shieldx/policy-engine";

const compilingMs = 60_000;

/** @param given by a flag; left out, SHIELDX_REGO_COMPILER, or beside the program */
export function compilerFileOf(given: string | undefined): string {
  const { SHIELDX_REGO_COMPILER: fromEnvironment } = process.env;
  return given ?? fromEnvironment ?? compilerBeside(process.argv[1]);
}

/**
 * Compiles what is in Rego; a policy that is not compiled becomes a problem of whoever wants it.
 *
 * @param compiler the compiler's module, as {@link compilerFileOf} takes it
 */
export async function compiledRego(
  policies: readonly ShieldPolicy[],
  compiler: string | undefined,
): Promise<RegoLookup | undefined> {
  const specs = policies.map(({ spec }) => spec).filter(({ engine }) => engine === "rego");
  if (specs.length === 0) return undefined;
  const rego = openRegoPolicies({
    compilerFile: compilerFileOf(compiler),
    clock: realClock,
    log: () => undefined,
  });
  rego.want(specs);
  await Promise.all(specs.map((spec) => rego.prepare(spec, compilingMs)));
  rego.stop();
  return rego.state;
}

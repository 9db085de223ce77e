/** Policies as processes of ours have them, without a cluster. */
import { realClock } from "@shieldx/controller-runtime";
import type { ShieldPolicy } from "@shieldx/crds";
import { openRegoPolicies, type RegoLookup } from "@shieldx/policy-engine";
import { buildRegoCompiler } from "../../e2e/cluster/index.ts";

/** As the API server would have stored them. */
export function stored(policies: readonly object[]): ShieldPolicy[] {
  return policies.map((policy, at) => {
    const { metadata, ...rest } = policy as { metadata: object };
    return { ...rest, metadata: { ...metadata, uid: `uid-${at}`, generation: 1 } } as unknown as ShieldPolicy;
  });
}

/** By the process that compiles Rego, as in the webhook. */
export async function compiledRego(policies: readonly ShieldPolicy[]): Promise<RegoLookup> {
  const log = (_level: string, _: object, message: string) => console.error(message);
  const programs = openRegoPolicies({ compilerFile: await buildRegoCompiler(), clock: realClock, log });
  const { promise, resolve } = Promise.withResolvers<void>();
  programs.onChange(() => {
    if (programs.isSettled) resolve();
  });
  programs.want(policies.map(({ spec }) => spec));
  await promise;
  programs.stop();
  return programs.state;
}

/** Compiles and evaluates what the server was asked, compares, and counts. */
import { type CompiledCelRules, compileCelRules } from "../../src/cel/admission/compile.ts";
import { CelRulesError } from "../../src/cel/admission/errors.ts";
import type { CelOutcome } from "../../src/cel/admission/outcome.ts";
import type { CelAsked, CelRequest } from "../../src/cel/admission/question.ts";
import { QuickRules } from "../../src/cel/admission/quick-rule.ts";
import { asClosures, asCode } from "../../src/generate/pace.test-kit.ts";
import type { Authorizations, RequestUser } from "./authorizations.ts";
import { difference } from "./compare.ts";
import type { OraclePair, OracleRecord, PolicyWarnings, RefusedPolicy } from "./oracle-server.ts";
import type { OraclePolicy, ParamRef } from "./policies.ts";
import { type Schemas, withoutTypeNames } from "./schemas.ts";

/** Objects the server holds that policies may see. */
export interface Surroundings {
  readonly namespace: unknown;
  /** Parameter objects by name. */
  readonly params: ReadonlyMap<string, unknown>;
  readonly schemas: Schemas;
}

/** An outcome may ask for one more answer after each; policies of the oracle ask for fewer than this. */
const MAX_ROUNDS = 20;

export class Judge {
  readonly #surroundings: Surroundings;
  readonly #authorizations: Authorizations;
  readonly #alone = new WeakMap<OraclePolicy["spec"], readonly CompiledCelRules[]>();
  readonly differences: object[] = [];
  /** How many pairs each function of the catalogue, and each macro, took part in. */
  readonly used = new Map<string, number>();
  pairs = 0;
  askedQuickly = 0;
  denied = 0;
  /** Pairs in which an expression could not be evaluated. */
  errors = 0;
  /** Policies that do not compile, of which the server and we say the same. */
  refused = 0;
  /** Policies whose warnings about types were compared. */
  typeChecked = 0;
  readonly byOperation = new Map<string, number>();
  #evaluationMs = 0;

  constructor(surroundings: Surroundings, authorizations: Authorizations) {
    this.#surroundings = surroundings;
    this.#authorizations = authorizations;
  }

  /** `first` is the number of the first of these policies in the record. */
  async judge(policies: readonly OraclePolicy[], first: number, record: OracleRecord): Promise<void> {
    const refusals = new Map(record.refused.map((refusal) => [refusal.policy - first, refusal]));
    const compiled = policies.map((policy, at) => this.#compile(policy, refusals.get(at)));
    for (const { policy: number, warnings } of record.typeChecking) {
      const policy = policies[number - first];
      if (policy !== undefined) this.#judgeWarnings(policy, warnings);
    }
    for (const pair of record.pairs) {
      const policy = policies[pair.policy - first];
      const rules = compiled[pair.policy - first];
      if (policy === undefined || rules === undefined) continue;
      this.#count(policy, pair);
      const found = difference(pair, await this.#evaluate(policy, rules, pair));
      if (found !== undefined) this.#differ(policy, { ...found, request: pair.request });
    }
  }

  #compile(policy: OraclePolicy, refusal: RefusedPolicy | undefined): CompiledCelRules | undefined {
    const { spec, paramRef } = policy;
    try {
      const rules = compileCelRules({ ...spec, ...(paramRef === undefined ? {} : { paramRef }) });
      if (refusal === undefined) return rules;
      this.#differ(policy, { ours: "compiles", servers: refusal.causes });
    } catch (error) {
      if (!(error instanceof CelRulesError)) throw error;
      const ours = error.problems.map(({ path, detail }) => `${path}: ${withoutValue(detail)}`);
      const servers = refusal?.causes.map(({ field, message }) => `${field}: ${withoutValue(message)}`);
      if (JSON.stringify(ours) === JSON.stringify(servers)) this.refused++;
      else this.#differ(policy, { ours, servers: servers ?? "compiles" });
    }
    return undefined;
  }

  async #evaluate(policy: OraclePolicy, rules: CompiledCelRules, pair: OraclePair): Promise<CelOutcome> {
    const { object, oldObject, ...rest } = pair.request;
    const request = rest as unknown as CelRequest;
    const user = (request.userInfo ?? {}) as RequestUser;
    const isNamespace = request.kind.kind === "Namespace";
    const question = {
      request,
      object,
      oldObject,
      namespaceObject: isNamespace ? null : this.#surroundings.namespace,
    };
    const params = { objects: this.#params(policy.paramRef) };
    const authorize = this.#authorizations.lookup(user);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const start = performance.now();
      // One half of the policies as closures, the other as generated code.
      const asEither = policy.seed % 2 === 0 ? asClosures : asCode;
      const outcome = asEither(() => rules.evaluate(question, { authorize, params }));
      this.#evaluationMs += performance.now() - start;
      if (outcome.pending.length === 0) {
        asEither(() => this.#askQuickly(policy, { question, authorize }));
        return outcome;
      }
      for (const check of outcome.pending) await this.#authorizations.ask(user, check);
    }
    throw new Error(`the policy of seed ${policy.seed} asks the authorizer without end`);
  }

  /** Of each validation by itself the shortest way must tell what the long one does. */
  #askQuickly({ seed, spec }: OraclePolicy, asked: CelAsked): void {
    const { question, authorize } = asked;
    for (const { quick, evaluate } of this.#rulesAlone(spec)) {
      if (quick === undefined) continue;
      this.askedQuickly++;
      const { failures, ignoredErrors, pending } = evaluate(question, authorize && { authorize });
      const isSilent = failures.length + ignoredErrors.length + pending.length === 0;
      const isKept = new QuickRules({ ...asked, isLate: () => false }).isKept(quick);
      if (isKept !== isSilent) this.differences.push({ seed, isKept, failures, ignoredErrors, spec });
    }
  }

  #rulesAlone(spec: OraclePolicy["spec"]): readonly CompiledCelRules[] {
    const known = this.#alone.get(spec);
    if (known !== undefined) return known;
    const { variables = [], validations = [], paramKind } = spec;
    const alone =
      paramKind === undefined
        ? validations.map(({ expression }) => compileCelRules({ variables, validations: [{ expression }] }))
        : [];
    this.#alone.set(spec, alone);
    return alone;
  }

  #params(paramRef: ParamRef | undefined): readonly unknown[] {
    const { params } = this.#surroundings;
    if (paramRef?.name === undefined) return [...params.values()];
    const named = params.get(paramRef.name);
    return named === undefined ? [] : [named];
  }

  #judgeWarnings(policy: OraclePolicy, servers: PolicyWarnings["warnings"]): void {
    const ours = this.#surroundings.schemas.warnings(policy);
    this.typeChecked++;
    if (withoutTypeNames(ours) !== withoutTypeNames(servers)) this.#differ(policy, { ours, servers });
  }

  #count(policy: OraclePolicy, { failures, request }: OraclePair): void {
    this.pairs++;
    if (failures.length > 0) this.denied++;
    if (failures.some(({ message }) => message.includes(" resulted in error: "))) this.errors++;
    const operation = String(request.operation);
    this.byOperation.set(operation, (this.byOperation.get(operation) ?? 0) + 1);
    for (const key of new Set(policy.used)) this.used.set(key, (this.used.get(key) ?? 0) + 1);
  }

  #differ({ seed, spec }: OraclePolicy, difference: object): void {
    this.differences.push({ seed, ...difference, spec });
  }

  report(): string {
    const share = (count: number) => `${count} (${((count / this.pairs) * 100).toFixed(1)} %)`;
    const counts = (map: ReadonlyMap<string, number>) => JSON.stringify(Object.fromEntries([...map].sort()));
    return [
      `oracle: ${this.pairs} pairs, ${this.askedQuickly} rules asked quickly too, ${share(this.denied)} denied, ${share(this.errors)} with a runtime error,`,
      `${this.refused} policies refused alike, ${this.typeChecked} type-checked alike, ${this.differences.length} differences,`,
      `${this.#evaluationMs.toFixed(0)} ms evaluating; by operation ${counts(this.byOperation)};`,
      `by function ${counts(this.used)}`,
    ].join(" ");
  }
}

/** What is wrong, without the expression it is about, which Go and JavaScript quote differently. */
function withoutValue(text: string): string {
  return text.replace(/^Invalid value: "(?:[^"\\]|\\.)*": /, "");
}

/**
 * The documents of several policies as one tree, as OPA shows all its policies below `data`. Each policy is compiled on
 * its own, so that none can break or reach another; a document above several is put together from theirs.
 */
import {
  EvaluationError,
  isStoredObject,
  type PlainObject,
  type QueryContext,
  type RegoJson,
  type RegoPolicy,
  readDocument,
} from "../rego/index.ts";
import type { Decision, DecisionQuestion, DecisionSource, PathPart } from "./source.ts";
import { storedAt } from "./stored.ts";

/** A document that a policy answers for. */
export interface ServedDocument {
  readonly path: readonly string[];
  /** Name of the plan that computes it. */
  readonly entrypoint: string;
  /** Whether it is a rule's value, and not one of rules further down. */
  readonly isRule: boolean;
}

/** A policy, compiled to be asked. */
export interface ServedPolicy {
  readonly name: string;
  /** Of what it was compiled from. */
  readonly digest: string;
  /** Tells this version from others: what its bundle calls itself, or the digest. */
  readonly revision: string;
  readonly rego: Pick<RegoPolicy, "entrypoints" | "evaluate">;
  /** Paths of its packages. No two policies that are served together have one in common. */
  readonly packages: readonly (readonly string[])[];
  readonly documents: readonly ServedDocument[];
  /** Documents that came with its modules, below `data`. */
  readonly data?: PlainObject;
  /** The parts of `data` that are its own whole, its documents among them; the empty path is all of it. */
  readonly roots?: readonly (readonly string[])[];
}

/** Units of work one question may take: a tenth of what a policy may, as no other request is answered meanwhile. */
const costLimit = 500_000;

interface Node {
  readonly children: Map<string, Node>;
  /** Who answers for the whole of it; undefined where it has to be put together from its children. */
  answer: { readonly policy: ServedPolicy; readonly document: ServedDocument } | undefined;
  /** Whose root this is. */
  owner: ServedPolicy | undefined;
  /** Names of the policies with something here or below. */
  readonly policies: Set<string>;
}

const newNode = (): Node => ({
  children: new Map(),
  answer: undefined,
  owner: undefined,
  policies: new Set(),
});

export class Documents implements DecisionSource {
  readonly revisions: ReadonlyMap<string, string>;
  readonly #root = newNode();

  constructor(policies: readonly ServedPolicy[]) {
    this.revisions = new Map(policies.map(({ name, revision }) => [name, revision]));
    for (const policy of policies) {
      for (const root of policy.roots ?? []) this.#nodeAt(policy, root).owner ??= policy;
      for (const document of policy.documents)
        this.#nodeAt(policy, document.path).answer ??= { policy, document };
    }
  }

  #nodeAt(policy: ServedPolicy, path: readonly string[]): Node {
    let node = this.#root;
    node.policies.add(policy.name);
    for (const key of path) {
      const child = node.children.get(key) ?? newNode();
      node.children.set(key, child);
      child.policies.add(policy.name);
      node = child;
    }
    return node;
  }

  decide(question: DecisionQuestion): Decision {
    const { path } = question;
    let node = this.#root;
    let { owner } = node;
    for (const [at, key] of path.entries()) {
      if (node.answer?.document.isRule === true) return ask(node.answer, question, path.slice(at));
      const child = typeof key === "string" ? node.children.get(key) : undefined;
      if (child === undefined) return stored(owner, path, question);
      node = child;
      owner = node.owner ?? owner;
    }
    if (node !== this.#root) return documentAt(node, owner, path, question);
    const whole = documentAt(node, owner, path, question, hiddenInRoot);
    return whole.kind === "missing" ? { kind: "value", value: {} } : whole;
  }
}

/** Policies about OPA itself are to be asked for by name (v1/topdown leaves them out of `data`). */
const hiddenInRoot = "system";

/**
 * What is here of all policies: documents as they came, and over them what rules make. `owner`: whose root this is, or lies
 * in. Depth is that of the policies' paths, which are bounded.
 */
function documentAt(
  node: Node,
  owner: ServedPolicy | undefined,
  path: readonly PathPart[],
  question: DecisionQuestion,
  hidden?: string,
): Decision {
  const { answer } = node;
  if (answer !== undefined && (answer.document.isRule || node.policies.size === 1))
    return ask(answer, question, []);
  const members = new Map<string, RegoJson>();
  const base = stored(owner, path, question, hidden);
  if (base.kind === "error") return base;
  if (base.kind === "value") {
    if (!isStoredObject(base.value)) return base;
    for (const [key, value] of Object.entries(base.value)) members.set(key, value);
  }
  let isThere = base.kind === "value";
  for (const [key, child] of node.children) {
    if (key === hidden) continue;
    const decision = documentAt(child, child.owner ?? owner, [...path, key], question);
    if (decision.kind === "error") return decision;
    if (decision.kind === "value") members.set(key, decision.value);
    isThere ||= decision.kind !== "missing";
  }
  // fromEntries defines properties, so that __proto__ is a key like any other.
  return isThere ? { kind: "value", value: Object.fromEntries(members) } : { kind: "missing" };
}

/** The owner's document at this path, but for one member of it. */
function stored(
  owner: ServedPolicy | undefined,
  path: readonly PathPart[],
  question: DecisionQuestion,
  hidden?: string,
): Decision {
  const document = owner?.data && storedAt(owner.data, path);
  if (document === undefined) return { kind: "missing" };
  const shown =
    hidden !== undefined && isStoredObject(document)
      ? Object.fromEntries(Object.entries(document).filter(([key]) => key !== hidden))
      : document;
  return attempt(() => ({ kind: "value", value: readDocument(shown, limitsOf(question)) }));
}

function ask(
  { policy, document }: NonNullable<Node["answer"]>,
  question: DecisionQuestion,
  within: readonly PathPart[],
): Decision {
  const { input } = question;
  return attempt(() => {
    const [answer] = policy.rego.evaluate(document.entrypoint, {
      ...(input === undefined ? {} : { input }),
      ...(policy.data === undefined ? {} : { data: policy.data }),
      within,
      context: limitsOf(question),
    });
    const value = answer?.result;
    return value === undefined ? { kind: "undefined" } : { kind: "value", value };
  });
}

function limitsOf({ strictErrors = false, nowNs, isPastDeadline }: DecisionQuestion): QueryContext {
  return {
    nowNs,
    strictErrors,
    costLimit,
    ...(isPastDeadline === undefined ? {} : { isPastDeadline }),
  };
}

function attempt(answer: () => Decision): Decision {
  try {
    return answer();
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const { code, message, location } = error;
    return { kind: "error", code, message, ...(location === undefined ? {} : { location }) };
  }
}

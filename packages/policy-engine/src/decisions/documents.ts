/**
 * The documents of several policies as one tree, as OPA shows all its policies below `data`. Each policy is compiled on
 * its own, so that none can break or reach another; a document above several is put together from theirs.
 */
import { EvaluationError, type RegoJson, type RegoPolicy } from "../rego/index.ts";
import type { Decision, DecisionQuestion, DecisionSource, PathPart } from "./source.ts";

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
  readonly rego: Pick<RegoPolicy, "entrypoints" | "evaluate">;
  /** Paths of its packages. No two policies that are served together have one in common. */
  readonly packages: readonly (readonly string[])[];
  readonly documents: readonly ServedDocument[];
}

/** Units of work one question may take: a tenth of what a policy may, as no other request is answered meanwhile. */
const costLimit = 500_000;

interface Node {
  readonly children: Map<string, Node>;
  /** Who answers for the whole of it; undefined where it has to be put together from its children. */
  answer: { readonly policy: ServedPolicy; readonly document: ServedDocument } | undefined;
  /** Names of the policies with something here or below. */
  readonly policies: Set<string>;
}

const newNode = (): Node => ({ children: new Map(), answer: undefined, policies: new Set() });

export class Documents implements DecisionSource {
  readonly revisions: ReadonlyMap<string, string>;
  readonly #root = newNode();

  constructor(policies: readonly ServedPolicy[]) {
    this.revisions = new Map(policies.map(({ name, digest }) => [name, digest]));
    for (const policy of policies) for (const document of policy.documents) this.#add(policy, document);
  }

  #add(policy: ServedPolicy, document: ServedDocument): void {
    let node = this.#root;
    node.policies.add(policy.name);
    for (const key of document.path) {
      const child = node.children.get(key) ?? newNode();
      node.children.set(key, child);
      child.policies.add(policy.name);
      node = child;
    }
    node.answer ??= { policy, document };
  }

  decide(question: DecisionQuestion): Decision {
    const { path } = question;
    let node = this.#root;
    for (const [at, key] of path.entries()) {
      if (node.answer?.document.isRule === true) return ask(node.answer, question, path.slice(at));
      const child = typeof key === "string" ? node.children.get(key) : undefined;
      if (child === undefined) return { kind: "missing" };
      node = child;
    }
    return documentAt(node, question, node === this.#root ? hiddenInRoot : undefined);
  }
}

/** Policies about OPA itself are to be asked for by name (v1/topdown leaves them out of `data`). */
const hiddenInRoot = "system";

/** Depth is that of the policies' paths, which are bounded. */
function documentAt(node: Node, question: DecisionQuestion, hidden?: string): Decision {
  const { answer } = node;
  if (answer !== undefined && (answer.document.isRule || node.policies.size === 1))
    return ask(answer, question, []);
  const members: [string, RegoJson][] = [];
  for (const [key, child] of node.children) {
    if (key === hidden) continue;
    const decision = documentAt(child, question);
    if (decision.kind === "error") return decision;
    if (decision.kind === "value") members.push([key, decision.value]);
  }
  // fromEntries defines properties, so that __proto__ is a key like any other.
  return { kind: "value", value: Object.fromEntries(members) };
}

function ask(
  { policy, document }: NonNullable<Node["answer"]>,
  { input, strictErrors = false, nowNs, isPastDeadline }: DecisionQuestion,
  within: readonly PathPart[],
): Decision {
  try {
    const [answer] = policy.rego.evaluate(document.entrypoint, {
      ...(input === undefined ? {} : { input }),
      within,
      context: {
        nowNs,
        strictErrors,
        costLimit,
        ...(isPastDeadline === undefined ? {} : { isPastDeadline }),
      },
    });
    const value = answer?.result;
    return value === undefined ? { kind: "undefined" } : { kind: "value", value };
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const { code, message, location } = error;
    return { kind: "error", code, message, ...(location === undefined ? {} : { location }) };
  }
}

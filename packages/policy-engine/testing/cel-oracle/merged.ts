/** Policies of the oracle put on a real API server twice, each alone and all in one, and what it says of the same request. */
import { open } from "node:fs/promises";
import {
  type Fragment,
  fragmentOf,
  type MergedPolicy,
  memberOf,
  mergeMembers,
  ownersOfField,
  type RenderedPolicy,
  renderAdmissionPolicy,
} from "../../src/native/index.ts";
import { celPolicy, shieldException } from "../objects.ts";
import { Random } from "../random.ts";
import type { ApiAnswer, ApiClient } from "./api-client.ts";
import type { ObjectKind } from "./objects.ts";
import { collection } from "./oracle-server.ts";
import type { OraclePolicy } from "./policies.ts";

export interface Failure {
  readonly policy: string;
  readonly index: number;
  readonly message: string;
}

/** What the two say of one request. */
export interface Comparison {
  readonly seeds: readonly number[];
  readonly lone: readonly Failure[];
  readonly merged: readonly Failure[];
  readonly loneDenied: ApiAnswer;
  readonly mergedDenied: ApiAnswer;
}

const registration = "/apis/admissionregistration.k8s.io/v1";
const apiVersion = "admissionregistration.k8s.io/v1";

export interface Pair {
  readonly name: string;
  readonly kind: ObjectKind;
  readonly seeds: readonly number[];
  readonly lone: readonly RenderedPolicy[];
  readonly fragments: readonly Fragment[];
  readonly merged: MergedPolicy;
}

/** Renders policies of one kind and failurePolicy; those that have to stay alone are left out. */
export function pairOf(name: string, policies: readonly OraclePolicy[]): Pair | undefined {
  const [first] = policies;
  if (first === undefined) return undefined;
  const rendered = policies.flatMap((policy) => {
    const found = render(name, policy);
    return found === undefined ? [] : [{ seed: policy.seed, ...found }];
  });
  const fragments = rendered.map(({ fragment }) => fragment);
  const [one] = fragments;
  if (one === undefined) return undefined;
  return {
    name,
    kind: first.kind,
    seeds: rendered.map(({ seed }) => seed),
    lone: rendered.map(({ lone }) => lone),
    fragments,
    merged: mergeMembers(`merged-${name}`, one.head, fragments.map(memberOf)),
  };
}

/** Every third has an exception for objects named `free-…`. Costs are left out: what is told of each is compared whatever it costs. */
function render(name: string, { seed, kind, spec }: OraclePolicy) {
  const { failurePolicy, matchConditions, variables, validations, auditAnnotations } = spec as never;
  const policy = celPolicy(`p${seed}`, {
    failurePolicy,
    matchConditions,
    variables,
    validations,
    auditAnnotations,
    actions: { admission: "deny", background: "off" },
    exceptions: { namespaces: { names: ["default"] }, maxDuration: "720h" },
    matchConstraints: {
      matchPolicy: "Equivalent",
      objectSelector: { matchLabels: { [name]: "1" } },
      resourceRules: [
        {
          apiGroups: [kind.group],
          apiVersions: [kind.version],
          operations: ["CREATE", "UPDATE"],
          resources: [kind.resource],
          scope: "*",
        },
      ],
    },
  });
  const exceptions =
    seed % 3 === 0
      ? [
          shieldException(
            "free",
            {
              policies: [`p${seed}`],
              expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
              match: { names: ["free-*"] },
            },
            { namespace: "default" },
          ),
        ]
      : [];
  try {
    const lone = renderAdmissionPolicy(policy, exceptions, Date.now());
    const fragment = fragmentOf(lone, () => 1);
    return "alone" in fragment ? undefined : { lone, fragment };
  } catch {
    // What the kind would refuse already is not what this is about.
    return undefined;
  }
}

export class MergedServer {
  readonly #api: ApiClient;
  readonly #auditLog: string;
  #questions = 0;
  #auditOffset = 0;

  constructor(api: ApiClient, auditLog: string) {
    this.#api = api;
    this.#auditLog = auditLog;
  }

  /** Returns false where the API server does not take one of the policies alone: then it is not for us to merge. */
  async install({ lone, merged }: Pair): Promise<boolean> {
    for (const { policy } of lone) {
      const answer = await this.#create("validatingadmissionpolicies", policy.metadata.name, policy.spec);
      if (answer.status === 422) return false;
    }
    const taken = await this.#create(
      "validatingadmissionpolicies",
      merged.policy.metadata.name,
      merged.policy.spec,
    );
    if (taken.status >= 400) throw new Error(`merged: ${JSON.stringify(taken.body)}`);
    for (const { policy } of lone) await this.#bind(policy.metadata.name, "lone");
    await this.#bind(merged.policy.metadata.name, "merged");
    return true;
  }

  async remove({ lone, merged }: Pair): Promise<void> {
    for (const { policy } of [...lone, merged]) {
      const { name } = policy.metadata;
      for (const suffix of ["audit", "deny"])
        await this.#api.send("DELETE", `${registration}/validatingadmissionpolicybindings/${name}-${suffix}`);
      await this.#api.send("DELETE", `${registration}/validatingadmissionpolicies/${name}`);
    }
  }

  /** Failures of the audit log, and the answers to the same request where the policies deny. */
  async ask(pair: Pair, seed: number): Promise<Comparison> {
    const random = new Random(seed);
    const body = pair.kind.make(random);
    const isUpdate = random.chance(0.2);
    const name = isUpdate ? "stored" : `${random.chance(0.3) ? "free" : "o"}-${this.#questions++}`;
    const metadata = {
      ...(random.chance(0.3) ? { annotations: { note: random.pick(["hi", "", "ünï"]) } } : {}),
      ...(random.chance(0.3) ? { finalizers: ["example.com/hold"] } : {}),
    };
    const labels = {
      ...(random.chance(0.6) ? { app: random.pick(["web", "db", "a"]) } : {}),
      ...(random.chance(0.3) ? { tier: random.pick(["front", "back"]) } : {}),
      [pair.name]: "1",
    };
    const send = (ask: string) =>
      this.#send(
        pair.kind,
        isUpdate,
        name,
        { ...body, metadata: { ...metadata, labels: { ...labels, ask } } },
        seed,
      );
    const audited = await send("audit");
    if (audited.status >= 400) throw new Error(`seed ${seed}: ${JSON.stringify(audited.body)}`);
    const failures = await this.#failures(audited.auditId ?? "");
    const members = pair.fragments.map(memberOf);
    return {
      seeds: pair.seeds,
      lone: failures
        .filter(({ policy }) => policy !== pair.merged.policy.metadata.name)
        .map(({ policy, expressionIndex, message }) => ({
          policy: policy.replace(/^shieldx-/, ""),
          index: expressionIndex,
          message,
        })),
      merged: failures
        .filter(({ policy }) => policy === pair.merged.policy.metadata.name)
        .flatMap(({ expressionIndex, message }) =>
          ownersOfField(members, `spec.validations[${expressionIndex}]`).map(({ policy, field }) => ({
            policy,
            index: Number(/\d+/.exec(field)?.[0]),
            message,
          })),
        ),
      loneDenied: await send("deny-lone"),
      mergedDenied: await send("deny-merged"),
    };
  }

  /** An object of the kind for updates. */
  async store(kind: ObjectKind): Promise<void> {
    for (let seed = 1; ; seed++) {
      const object = { ...kind.make(new Random(seed)), metadata: { name: "stored" } };
      const answer = await this.#api.send("POST", pathOf(kind), withKind(kind, object));
      if (answer.status === 201) return;
      if (seed > 50) throw new Error(JSON.stringify(answer.body));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Waits until the newest of what was installed is in effect. */
  async settle(): Promise<void> {
    const name = `sentinel-${this.#questions++}`;
    const spec = {
      matchConstraints: {
        objectSelector: { matchLabels: { sentinel: name } },
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
        ],
      },
      validations: [{ expression: "false" }],
    };
    await this.#create("validatingadmissionpolicies", name, spec);
    await this.#create("validatingadmissionpolicybindings", name, {
      policyName: name,
      validationActions: ["Deny"],
    });
    const probe = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { sentinel: name } } };
    await until(async () => {
      const answer = await this.#api.send("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", probe);
      return answer.status === 422;
    });
  }

  async #create(plural: string, name: string, spec: object): Promise<ApiAnswer> {
    const kind =
      plural === "validatingadmissionpolicies"
        ? "ValidatingAdmissionPolicy"
        : "ValidatingAdmissionPolicyBinding";
    const answer = await this.#api.send("POST", `${registration}/${plural}`, {
      apiVersion,
      kind,
      metadata: { name },
      spec,
    });
    if (answer.status >= 400 && answer.status !== 422) throw new Error(JSON.stringify(answer.body));
    return answer;
  }

  async #bind(policyName: string, which: "lone" | "merged"): Promise<void> {
    for (const [suffix, ask, action] of [
      ["audit", "audit", "Audit"],
      ["deny", `deny-${which}`, "Deny"],
    ]) {
      await this.#create("validatingadmissionpolicybindings", `${policyName}-${suffix}`, {
        policyName,
        validationActions: [action],
        matchResources: { objectSelector: { matchLabels: { ask } } },
      });
    }
  }

  async #send(
    kind: ObjectKind,
    isUpdate: boolean,
    name: string,
    object: Record<string, unknown>,
    seed: number,
  ): Promise<ApiAnswer> {
    const metadata = object.metadata as object;
    if (!isUpdate) {
      const created = withKind(kind, { ...object, metadata: { ...metadata, name } });
      return await this.#api.send("POST", `${pathOf(kind)}?dryRun=All`, created);
    }
    const path = `${pathOf(kind)}/${name}`;
    const stored = (await this.#api.demand("GET", path)).body as Record<string, unknown>;
    const changed = { ...stored, ...kind.change(new Random(seed), stored) };
    const updated = { ...changed, metadata: { ...(stored.metadata as object), ...metadata } };
    return await this.#api.send("PUT", `${path}?dryRun=All`, updated);
  }

  async #failures(auditId: string) {
    let found: string | undefined;
    await until(async () => {
      found = (await this.#auditEvents()).find(
        (line) => line.includes(auditId) && line.includes('"ResponseComplete"'),
      );
      return found !== undefined;
    });
    const { annotations = {} } = JSON.parse(found ?? "{}") as { annotations?: Record<string, string> };
    const text = annotations["validation.policy.admission.k8s.io/validation_failure"] ?? "[]";
    return JSON.parse(text) as { policy: string; expressionIndex: number; message: string }[];
  }

  /** What the audit log has to say since the last question. */
  async #auditEvents(): Promise<string[]> {
    const file = await open(this.#auditLog);
    try {
      const { size } = await file.stat();
      const from = Math.max(0, this.#auditOffset - 500_000);
      const { buffer } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      this.#auditOffset = size;
      return buffer.toString("utf8").split("\n");
    } finally {
      await file.close();
    }
  }
}

function pathOf(kind: ObjectKind): string {
  return collection(kind).replace("/namespaces/oracle/", "/namespaces/default/");
}

function withKind(kind: ObjectKind, object: Record<string, unknown>): Record<string, unknown> {
  const version = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
  return { ...object, apiVersion: version, kind: kind.kind };
}

/** Asks until it is so, for at most half a minute. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("not within half a minute");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

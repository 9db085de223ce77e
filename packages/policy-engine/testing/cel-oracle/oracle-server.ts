/** Puts policies on a real API server, asks it about objects, and records what it said. */
import { open } from "node:fs/promises";
import { Random } from "../random.ts";
import type { ApiAnswer, ApiClient } from "./api-client.ts";
import type { Surroundings } from "./judge.ts";
import { type ObjectKind, widgetDefinition } from "./objects.ts";
import { type OraclePolicy, paramObjects } from "./policies.ts";
import type { RecordingWebhook, ReviewRequest } from "./recording-webhook.ts";
import { Schemas } from "./schemas.ts";

/** What the server says about one request under one policy. */
export interface OraclePair {
  readonly policy: number;
  /** The AdmissionReview's request, as the policy saw it. */
  readonly request: ReviewRequest;
  /** Messages of the rules that refused, in the order of the server; with `how` "audit", with their index. */
  readonly failures: readonly { readonly expressionIndex?: number; readonly message: string }[];
  /** Audit annotations the policy published. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Asked with action Deny: the Status of the refusal. */
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly how: "audit" | "deny";
}

/** Why the server refused a policy: one entry per cause. */
export interface RefusedPolicy {
  readonly policy: number;
  readonly causes: readonly { readonly field: string; readonly message: string }[];
}

export interface PolicyWarnings {
  readonly policy: number;
  readonly warnings: readonly { readonly fieldRef: string; readonly warning: string }[];
}

export interface OracleRecord {
  readonly pairs: OraclePair[];
  readonly refused: RefusedPolicy[];
  readonly typeChecking: PolicyWarnings[];
}

interface Chunk {
  readonly kind: ObjectKind;
  readonly policies: readonly number[];
  readonly deny: boolean;
  readonly isHeavy: boolean;
}

const registration = "/apis/admissionregistration.k8s.io/v1";
const policiesPath = `${registration}/validatingadmissionpolicies`;
const bindingsPath = `${registration}/validatingadmissionpolicybindings`;
/** Policies asked about in one request: fifty failures are all that an audit annotation carries (dispatcher.go). */
const chunkSize = 10;
const namespace = "oracle";

export class OracleServer {
  readonly #api: ApiClient;
  readonly #webhook: RecordingWebhook;
  readonly #auditLog: string;
  #auditOffset = 0;
  #auditRest = "";
  readonly #audit = new Map<string, Readonly<Record<string, string>>>();
  #questions = 0;

  constructor(api: ApiClient, webhook: RecordingWebhook, auditLog: string) {
    this.#api = api;
    this.#webhook = webhook;
    this.#auditLog = auditLog;
  }

  /** Makes what every question needs: the kind of `widgets`, a namespace, parameters, objects to update. */
  async prepare(kinds: readonly ObjectKind[]): Promise<void> {
    await this.#api.demand(
      "POST",
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
      widgetDefinition,
    );
    await this.#api.demand("POST", "/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, labels: { team: "oracle" } },
    });
    for (const object of paramObjects)
      await this.#api.demand("POST", "/api/v1/namespaces/default/configmaps", object);
    await until(async () => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
      return (await this.#api.send("GET", path)).status === 200;
    });
    await this.#api.demand(
      "POST",
      `${registration}/validatingwebhookconfigurations`,
      this.#webhook.configuration,
    );
    const random = new Random(1);
    for (const kind of kinds) await this.#storeFirst(kind, random);
    await until(async () => {
      const answer = await this.#createDryRun(kinds[0] as ObjectKind, {}, { question: "ready" }, "ready");
      return (
        answer.status === 201 && this.#webhook.take("CREATE", kinds[0]?.resource ?? "", "ready") !== undefined
      );
    });
  }

  async surroundings(): Promise<Surroundings> {
    const get = async (path: string) => (await this.#api.demand("GET", path)).body;
    const params = new Map<string, unknown>();
    for (const { metadata } of paramObjects)
      params.set(metadata.name, await get(`/api/v1/namespaces/default/configmaps/${metadata.name}`));
    const schemas = await Schemas.fetch(this.#api);
    return { namespace: await get(`/api/v1/namespaces/${namespace}`), params, schemas };
  }

  /** Asks about these policies; `first` numbers them, so that batches of one run do not collide. */
  async ask(
    policies: readonly OraclePolicy[],
    first: number,
    requestsPerChunk: number,
  ): Promise<OracleRecord> {
    const record: OracleRecord = { pairs: [], refused: [], typeChecking: [] };
    const numbers = policies.map((_, at) => first + at);
    const accepted = new Set<number>();
    await inParallel(numbers, 6, async (number) => {
      const policy = policies[number - first] as OraclePolicy;
      const refusal = await this.#install(policy, number);
      if (refusal === undefined) accepted.add(number);
      else record.refused.push({ policy: number, causes: refusal });
    });
    await this.#untilEffective([...accepted]);
    const chunks = makeChunks(policies, first, accepted);
    await inParallel(chunks, 3, async (chunk) => {
      await this.#askChunk(
        chunk,
        policies[(chunk.policies[0] as number) - first]?.seed ?? 0,
        requestsPerChunk,
        record,
      );
    });
    record.typeChecking.push(...(await this.#typeChecking([...accepted])));
    await inParallel([...accepted], 6, async (number) => {
      await this.#api.demand("DELETE", `${bindingsPath}/p${number}`);
      await this.#api.demand("DELETE", `${policiesPath}/p${number}`);
    });
    return record;
  }

  async #install(policy: OraclePolicy, number: number): Promise<RefusedPolicy["causes"] | undefined> {
    const { kind, spec, paramRef } = policy;
    const answer = await this.#api.send("POST", policiesPath, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: `p${number}` },
      spec: { ...spec, matchConstraints: constraints(kind, number) },
    });
    if (answer.status === 422) return causesOf(answer);
    if (answer.status !== 201) throw new Error(`policy ${number}: ${JSON.stringify(answer.body)}`);
    await this.#api.demand("POST", bindingsPath, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: `p${number}` },
      spec: {
        policyName: `p${number}`,
        validationActions: [mustDeny(policy, number) ? "Deny" : "Audit"],
        ...(paramRef === undefined ? {} : { paramRef }),
      },
    });
    return undefined;
  }

  /** A policy that refuses one request only, made last: when it is in effect, so are all others. */
  async #untilEffective(numbers: readonly number[]): Promise<void> {
    const name = `sentinel-${this.#questions++}`;
    const last = numbers.at(-1);
    if (last === undefined) return;
    await this.#api.demand("POST", policiesPath, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        matchConstraints: {
          objectSelector: { matchLabels: { sentinel: name } },
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
          ],
        },
        validations: [{ expression: "false" }],
      },
    });
    await this.#api.demand("POST", bindingsPath, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    });
    const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`;
    const probe = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "probe", labels: { sentinel: name } },
    };
    await until(async () => (await this.#api.send("POST", path, probe)).status === 422);
    await this.#api.demand("DELETE", `${bindingsPath}/${name}`);
    await this.#api.demand("DELETE", `${policiesPath}/${name}`);
  }

  async #askChunk(chunk: Chunk, seed: number, requests: number, record: OracleRecord): Promise<void> {
    const random = new Random(seed ^ 0x5eed);
    const { kind } = chunk;
    for (let at = 0; at < (chunk.isHeavy ? 2 : requests); at++) {
      const operation = operationOf(at, chunk.deny);
      const id = `q${this.#questions++}`;
      const body = kind.make(random);
      const selecting = Object.fromEntries(chunk.policies.map((number) => [`p${number}`, "1"]));
      const labels = { question: id, ...randomLabels(random) };
      const metadata = randomMetadata(random);
      const object = { ...body, metadata };
      if (chunk.deny) await this.#askDenied(chunk, operation, object, labels, selecting, record);
      else await this.#askAudited(chunk, operation, object, { ...labels, ...selecting }, record);
    }
  }

  async #askAudited(
    chunk: Chunk,
    operation: string,
    object: Record<string, unknown>,
    labels: Record<string, string>,
    record: OracleRecord,
  ): Promise<void> {
    const answer = await this.#operate(chunk.kind, operation, object, labels);
    const request = this.#webhook.take(operation, chunk.kind.resource, labels.question ?? "");
    if (answer.status >= 400 || request === undefined)
      throw new Error(`${operation} of a ${chunk.kind.kind}: ${JSON.stringify(answer.body)}`);
    const annotations = await this.#annotations(answer.auditId ?? "");
    const failures = JSON.parse(
      annotations["validation.policy.admission.k8s.io/validation_failure"] ?? "[]",
    ) as {
      policy: string;
      expressionIndex: number;
      message: string;
    }[];
    for (const policy of chunk.policies) {
      const name = `p${policy}`;
      const prefix = `${name}/`;
      record.pairs.push({
        policy,
        request,
        how: "audit",
        failures: failures
          .filter((failure) => failure.policy === name)
          .map(({ expressionIndex, message }) => ({ expressionIndex, message })),
        annotations: Object.fromEntries(
          Object.entries(annotations).flatMap(([key, value]) =>
            key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
          ),
        ),
      });
    }
  }

  /** The policy refuses before the webhook is asked: the same question is put first without the policy. */
  async #askDenied(
    chunk: Chunk,
    operation: string,
    object: Record<string, unknown>,
    labels: Record<string, string>,
    selecting: Record<string, string>,
    record: OracleRecord,
  ): Promise<void> {
    const free = await this.#operate(chunk.kind, operation, object, labels);
    const seen = this.#webhook.take(operation, chunk.kind.resource, labels.question ?? "");
    if (free.status >= 400 || seen === undefined)
      throw new Error(`${operation} of a ${chunk.kind.kind}: ${JSON.stringify(free.body)}`);
    const answer = await this.#operate(chunk.kind, operation, object, { ...labels, ...selecting });
    this.#webhook.take(operation, chunk.kind.resource, labels.question ?? "");
    const {
      code = 0,
      reason = "",
      message = "",
    } = (answer.status >= 400 ? answer.body : {}) as {
      code?: number;
      reason?: string;
      message?: string;
    };
    const denied = message.indexOf("denied request: ");
    if (answer.status >= 400 && denied < 0)
      throw new Error(`${operation} of a ${chunk.kind.kind}: ${JSON.stringify(answer.body)}`);
    record.pairs.push({
      policy: chunk.policies[0] as number,
      request: withLabels(seen, operation, selecting),
      how: "deny",
      failures: denied < 0 ? [] : [{ message: message.slice(denied + "denied request: ".length) }],
      annotations: {},
      ...(denied < 0 ? {} : { status: { code, reason, message } }),
    });
  }

  async #operate(
    kind: ObjectKind,
    operation: string,
    object: Record<string, unknown>,
    labels: Record<string, string>,
  ): Promise<ApiAnswer> {
    if (operation === "CREATE") return await this.#createDryRun(kind, object, labels, `o-${labels.question}`);
    if (operation === "DELETE") {
      const name = `doomed-${labels.question}`;
      await this.#api.demand("POST", collection(kind), manifest(kind, object, labels, name));
      this.#webhook.take("CREATE", kind.resource, labels.question ?? "");
      return await this.#api.send("DELETE", `${collection(kind)}/${name}?dryRun=All`);
    }
    const path = `${collection(kind)}/first-${kind.resource}`;
    const stored = (await this.#api.demand("GET", path)).body as { metadata: object };
    const { metadata, ...rest } = object as { metadata: object };
    const changed = updated(kind, stored as unknown as Record<string, unknown>, rest);
    return await this.#api.send("PUT", `${path}?dryRun=All`, {
      ...changed,
      metadata: { ...stored.metadata, ...metadata, labels },
    });
  }

  async #createDryRun(
    kind: ObjectKind,
    object: Record<string, unknown>,
    labels: Record<string, string>,
    name: string,
  ): Promise<ApiAnswer> {
    return await this.#api.send(
      "POST",
      `${collection(kind)}?dryRun=All`,
      manifest(kind, object, labels, name),
    );
  }

  async #storeFirst(kind: ObjectKind, random: Random): Promise<void> {
    await until(async () => {
      const object = { ...kind.make(random), metadata: {} };
      const answer = await this.#api.send(
        "POST",
        collection(kind),
        manifest(kind, object, { app: "first" }, `first-${kind.resource}`),
      );
      return answer.status === 201;
    });
  }

  /** The server writes its audit log before it answers. */
  async #annotations(auditId: string): Promise<Readonly<Record<string, string>>> {
    await until(async () => {
      if (!this.#audit.has(auditId)) await this.#readAuditLog();
      return this.#audit.has(auditId);
    });
    const annotations = this.#audit.get(auditId) ?? {};
    this.#audit.delete(auditId);
    return annotations;
  }

  async #readAuditLog(): Promise<void> {
    const file = await open(this.#auditLog);
    try {
      const { size } = await file.stat();
      const from = this.#auditOffset;
      if (size <= from) return;
      this.#auditOffset = size;
      const { buffer } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      const lines = (this.#auditRest + buffer.toString("latin1")).split("\n");
      this.#auditRest = lines.pop() ?? "";
      for (const line of lines) this.#keepAuditEvent(Buffer.from(line, "latin1").toString("utf8"));
    } finally {
      await file.close();
    }
  }

  #keepAuditEvent(line: string): void {
    const event = JSON.parse(line) as {
      auditID: string;
      stage: string;
      annotations?: Record<string, string>;
    };
    if (event.stage === "ResponseComplete") this.#audit.set(event.auditID, event.annotations ?? {});
  }

  async #typeChecking(numbers: readonly number[]): Promise<PolicyWarnings[]> {
    interface Status {
      readonly observedGeneration?: number;
      readonly typeChecking?: { readonly expressionWarnings?: PolicyWarnings["warnings"] };
    }
    const names = new Map(numbers.map((number) => [`p${number}`, number]));
    let found: PolicyWarnings[] = [];
    await until(async () => {
      const { items } = (await this.#api.demand("GET", policiesPath)).body as {
        items: { metadata: { name: string }; status: Status }[];
      };
      const checked = items.filter(({ status }) => status.observedGeneration !== undefined);
      found = checked.flatMap(({ metadata, status }) => {
        const policy = names.get(metadata.name);
        const warnings = status.typeChecking?.expressionWarnings ?? [];
        return policy === undefined ? [] : [{ policy, warnings }];
      });
      return found.length === numbers.length;
    });
    return found;
  }
}

/** A policy that may refuse whatever its binding's action says is asked alone, and every sixth is in any case. */
function mustDeny({ paramRef, spec, isHeavy }: OraclePolicy, number: number): boolean {
  return (
    isHeavy ||
    number % 6 === 0 ||
    spec.auditAnnotations !== undefined ||
    paramRef?.parameterNotFoundAction === "Deny"
  );
}

function makeChunks(
  policies: readonly OraclePolicy[],
  first: number,
  accepted: ReadonlySet<number>,
): Chunk[] {
  const chunks: Chunk[] = [];
  const audited = new Map<ObjectKind, number[]>();
  policies.forEach((policy, at) => {
    const number = first + at;
    if (!accepted.has(number)) return;
    if (mustDeny(policy, number)) {
      chunks.push({ kind: policy.kind, policies: [number], deny: true, isHeavy: policy.isHeavy });
      return;
    }
    const open = audited.get(policy.kind) ?? [];
    open.push(number);
    audited.set(policy.kind, open);
  });
  for (const [kind, numbers] of audited) {
    for (let at = 0; at < numbers.length; at += chunkSize)
      chunks.push({ kind, policies: numbers.slice(at, at + chunkSize), deny: false, isHeavy: false });
  }
  return chunks;
}

/** A policy that denies would refuse to let an object be made with the labels its deletion has to have. */
function operationOf(at: number, deny: boolean): string {
  if (at % 10 < 7) return "CREATE";
  return deny || at % 10 < 9 ? "UPDATE" : "DELETE";
}

function constraints(kind: ObjectKind, number: number): object {
  return {
    objectSelector: { matchLabels: { [`p${number}`]: "1" } },
    resourceRules: [
      {
        apiGroups: [kind.group],
        apiVersions: [kind.version],
        operations: ["CREATE", "UPDATE", "DELETE"],
        resources: [kind.resource],
      },
    ],
  };
}

function causesOf(answer: ApiAnswer): RefusedPolicy["causes"] {
  const { details } = answer.body as { details?: { causes?: { field: string; message: string }[] } };
  return (details?.causes ?? []).map(({ field, message }) => ({ field, message }));
}

export function collection(kind: ObjectKind): string {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  return kind.namespaced ? `${root}/namespaces/${namespace}/${kind.resource}` : `${root}/${kind.resource}`;
}

function manifest(
  kind: ObjectKind,
  object: Record<string, unknown>,
  labels: Record<string, string>,
  name: string,
): Record<string, unknown> {
  const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
  const metadata = { ...(object.metadata as object | undefined), name, labels };
  return { ...object, apiVersion, kind: kind.kind, metadata };
}

function randomLabels(random: Random): Record<string, string> {
  return {
    ...(random.chance(0.6) ? { app: random.pick(["web", "db", "a"]) } : {}),
    ...(random.chance(0.3) ? { tier: random.pick(["front", "back"]) } : {}),
  };
}

function randomMetadata(random: Random): Record<string, unknown> {
  return {
    ...(random.chance(0.3) ? { annotations: { note: random.pick(["hi", "", "ünï"]) } } : {}),
    ...(random.chance(0.3) ? { finalizers: ["example.com/hold"] } : {}),
  };
}

function updated(
  kind: ObjectKind,
  stored: Record<string, unknown>,
  wanted: Record<string, unknown>,
): Record<string, unknown> {
  const random = new Random(JSON.stringify(wanted).length);
  return { ...stored, ...kind.change(random, stored) };
}

/** The question as the policy would have seen it: with the labels that select the policy. */
function withLabels(
  request: ReviewRequest,
  operation: string,
  labels: Record<string, string>,
): ReviewRequest {
  const field = operation === "DELETE" ? "oldObject" : "object";
  const object = request[field] as { metadata: { labels: object } };
  const metadata = { ...object.metadata, labels: { ...object.metadata.labels, ...labels } };
  return { ...request, [field]: { ...object, metadata } };
}

async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Asks until it is so: at once, then every 50 ms, for at most a minute. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("not within a minute");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

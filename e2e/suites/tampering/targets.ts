// What enforces, and every way of tampering with it that the API server allows.
import {
  type Client,
  type KubeObject,
  type ResourceType,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";

export interface Target {
  readonly type: ResourceType;
  readonly name: string;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export interface JsonPatch {
  readonly op: "add" | "replace" | "remove";
  readonly path: string;
  readonly value?: Json;
}

export interface Tampering {
  readonly name: string;
  readonly target: Target;
  /** Resolves with the moment at which the API server had answered. */
  readonly commit: (client: Client) => Promise<number>;
}

const nobody = { matchLabels: { "nobody.example.org/has": "this" } };
/** A certificate authority of somebody else, or rather none: the API server only checks that it is PEM. */
const foreignBundle = Buffer.from(
  "-----BEGIN CERTIFICATE-----\nMIIBdzCCAR2gAwIBAgIUYQ==\n-----END CERTIFICATE-----\n",
).toString("base64");

const replace = (path: string, value: Json): JsonPatch => ({ op: "replace", path, value });
const add = (path: string, value: Json): JsonPatch => ({ op: "add", path, value });
const remove = (path: string): JsonPatch => ({ op: "remove", path });

const metadata: Readonly<Record<string, readonly JsonPatch[]>> = {
  "finalizer added": [add("/metadata/finalizers", ["example.org/hold"])],
};
/** What `shieldx-kinds` holds of these is the release's, and enforces nothing. */
const ourMetadata: Readonly<Record<string, readonly JsonPatch[]>> = {
  ...metadata,
  "labels removed": [remove("/metadata/labels")],
  "our label changed": [replace("/metadata/labels/app.kubernetes.io~1managed-by", "somebody")],
  "annotations removed": [remove("/metadata/annotations")],
};

const first = "/webhooks/0";
const webhookEdits: Readonly<Record<string, readonly JsonPatch[]>> = {
  "failurePolicy flipped": [],
  "rules emptied": [replace(`${first}/rules`, [])],
  "rules point elsewhere": [
    replace(`${first}/rules`, [
      { apiGroups: ["example.org"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["nothings"] },
    ]),
  ],
  "an operation less": [replace(`${first}/rules/0/operations`, ["DELETE"])],
  "matchCondition added": [add(`${first}/matchConditions`, [{ name: "never", expression: "false" }])],
  "namespaceSelector narrowed": [add(`${first}/namespaceSelector`, nobody)],
  "objectSelector narrowed": [add(`${first}/objectSelector`, nobody)],
  "caBundle removed": [remove(`${first}/clientConfig/caBundle`)],
  "caBundle replaced": [replace(`${first}/clientConfig/caBundle`, foreignBundle)],
  "url redirected": [replace(`${first}/clientConfig/url`, "https://127.0.0.1:1/elsewhere")],
  "matchPolicy changed": [replace("/webhooks/1/matchPolicy", "")],
  "sideEffects changed": [replace(`${first}/sideEffects`, "NoneOnDryRun")],
  "entry removed": [remove(first)],
  "all entries removed": [remove("/webhooks")],
  "entry renamed": [replace(`${first}/name`, "theirs.example.org")],
};

const policyEdits: Readonly<Record<string, readonly JsonPatch[]>> = {
  "expression always true": [replace("/spec/validations/0/expression", "true")],
  "message changed": [replace("/spec/validations/0/message", "nothing to see")],
  "matchCondition added": [add("/spec/matchConditions/0", { name: "never", expression: "false" })],
  "failurePolicy flipped": [replace("/spec/failurePolicy", "Ignore")],
  "namespaceSelector narrowed": [add("/spec/matchConstraints/namespaceSelector", nobody)],
  "objectSelector narrowed": [add("/spec/matchConstraints/objectSelector", nobody)],
  "resource rules elsewhere": [replace("/spec/matchConstraints/resourceRules/0/resources", ["nothings"])],
  "exclusion added": [
    add("/spec/matchConstraints/excludeResourceRules", [
      { apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] },
    ]),
  ],
  "audit annotation added": [add("/spec/auditAnnotations", [{ key: "theirs", valueExpression: "'x'" }])],
  "owner removed": [remove("/metadata/ownerReferences")],
  "owner and labels removed": [remove("/metadata/ownerReferences"), remove("/metadata/labels")],
};

const bindingEdits: Readonly<Record<string, readonly JsonPatch[]>> = {
  "deny becomes audit": [replace("/spec/validationActions", ["Audit"])],
  "bound to another policy": [replace("/spec/policyName", "somebody-elses")],
  "matchResources added": [add("/spec/matchResources", { namespaceSelector: nobody })],
  "owner removed": [remove("/metadata/ownerReferences")],
};

/** Every tampering of one target; `shieldx-kinds` keeps the labels and timeouts of its release. */
export function tamperingsOf(target: Target): Tampering[] {
  const edits = { ...editsOf(target) };
  return [
    { name: "deleted", target, commit: (client) => deleteIt(client, target) },
    { name: "held and deleted", target, commit: (client) => holdAndDelete(client, target) },
    ...Object.entries(edits).map(([name, patch]) => ({
      name,
      target,
      commit: (client: Client) => edit(client, target, name, patch),
    })),
  ];
}

function editsOf({ type, name }: Target): Readonly<Record<string, readonly JsonPatch[]>> {
  switch (type.kind) {
    case ValidatingWebhookConfiguration.kind:
      return name === "shieldx-kinds"
        ? { ...metadata, ...webhookEdits }
        : {
            ...ourMetadata,
            ...webhookEdits,
            "timeout changed": [replace(`${first}/timeoutSeconds`, 1)],
            "a dead owner added": [
              add("/metadata/ownerReferences", [
                {
                  apiVersion: "v1",
                  kind: "ConfigMap",
                  name: "gone",
                  uid: "00000000-0000-0000-0000-000000000000",
                },
              ]),
            ],
          };
    case ValidatingAdmissionPolicy.kind:
      return { ...ourMetadata, ...policyEdits };
    case ValidatingAdmissionPolicyBinding.kind:
      return { ...ourMetadata, ...bindingEdits };
    default:
      throw new Error(`nothing known about ${type.kind}`);
  }
}

async function edit(
  client: Client,
  { type, name }: Target,
  what: string,
  fixed: readonly JsonPatch[],
): Promise<number> {
  let patch = fixed;
  if (what === "failurePolicy flipped" && type.kind === ValidatingWebhookConfiguration.kind) {
    const { webhooks } = await client.get(ValidatingWebhookConfiguration, { name });
    const flipped = webhooks?.[0]?.failurePolicy === "Fail" ? "Ignore" : "Fail";
    patch = [replace(`${first}/failurePolicy`, flipped)];
  }
  if (what === "matchPolicy changed") {
    const { webhooks } = await client.get(ValidatingWebhookConfiguration, { name });
    const other = webhooks?.[1]?.matchPolicy === "Exact" ? "Equivalent" : "Exact";
    patch = [replace("/webhooks/1/matchPolicy", other)];
  }
  await client.patch(type, { name }, patch, { type: "json", fieldManager: "attacker" });
  return performance.now();
}

async function deleteIt(client: Client, { type, name }: Target): Promise<number> {
  await client.delete(type, { name });
  return performance.now();
}

/** A finalizer first, so that the object can be edited for as long as its deletion lasts. */
async function holdAndDelete(client: Client, target: Target): Promise<number> {
  const { type, name } = target;
  const finalizers = { metadata: { finalizers: ["example.org/hold"] } };
  await client.patch(type, { name }, finalizers, { type: "merge", fieldManager: "attacker" });
  return deleteIt(client, target);
}

/** All that an object says, without what changes when it is written or made anew. */
export function substance(object: KubeObject): string {
  const { metadata, ...rest } = object as KubeObject & { status?: unknown };
  const {
    uid: _u,
    resourceVersion: _v,
    generation: _g,
    creationTimestamp: _c,
    managedFields: _m,
    ...meta
  } = metadata as KubeObject["metadata"] & { managedFields?: unknown };
  // Names the version that was sent a second time, and so changes with each.
  const { "shieldx.io/resent": _r, ...annotations } = meta.annotations ?? {};
  const { status: _s, ...body } = rest;
  return JSON.stringify(sorted({ ...body, metadata: { ...meta, annotations } }));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, below]) => [key, sorted(below)]),
  );
}

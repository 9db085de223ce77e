/** Puts MutatingAdmissionPolicies on a real API server and records what they make of objects. */
import type { ApiClient } from "../cel-oracle/api-client.ts";
import { widgetDefinition } from "../cel-oracle/objects.ts";
import type { RecordingWebhook } from "../cel-oracle/recording-webhook.ts";
import type { MutationCase } from "./generator.ts";

type JsonObject = Record<string, unknown>;

export interface Mutated {
  /** The request as the policies got it. */
  readonly request: JsonObject;
  /** What they made of the object, or the words in which they refused. */
  readonly outcome: { readonly object: JsonObject } | { readonly refusal: string };
}

const registration = "/apis/admissionregistration.k8s.io/v1";
export const namespace = "oracle";

export class MutationServer {
  readonly #api: ApiClient;
  readonly #webhook: RecordingWebhook;

  constructor(api: ApiClient, webhook: RecordingWebhook) {
    this.#api = api;
    this.#webhook = webhook;
  }

  async prepare(): Promise<void> {
    const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    await this.#api.demand("POST", crds, widgetDefinition);
    const metadata = { name: namespace };
    await this.#api.demand("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata });
    await until("a service account", async () => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
      return (await this.#api.send("GET", path)).status === 200;
    });
    // The name of a token's volume is random.
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
    const accountPath = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
    await this.#api.demand("PUT", accountPath, { ...account, automountServiceAccountToken: false });
    // It is called after the policies, which are a plugin of their own before all webhooks; and again after those that
    // are reinvoked.
    const { webhooks, ...rest } = this.#webhook.configuration as { readonly webhooks: readonly object[] };
    const configuration = {
      ...rest,
      kind: "MutatingWebhookConfiguration",
      webhooks: webhooks.map((entry) => ({ ...entry, reinvocationPolicy: "IfNeeded" })),
    };
    await this.#api.demand("POST", `${registration}/mutatingwebhookconfigurations`, configuration);
  }

  /** Installs the policies of these cases; `first` numbers them. */
  async install(cases: readonly MutationCase[], first: number): Promise<string[][]> {
    const refused: string[][] = [];
    for (const [at, { kind, policies }] of cases.entries()) {
      const problems: string[] = [];
      for (const [order, policy] of policies.entries()) {
        const problem = await this.#create(policyName(first + at, order), {
          ...policy,
          matchConditions: [
            { name: "asker", expression: `request.userInfo.username == '${asker(first + at)}'` },
            ...policy.matchConditions,
          ],
          matchConstraints: {
            resourceRules: [
              {
                apiGroups: [kind.group],
                apiVersions: [kind.version],
                operations: ["CREATE", "UPDATE"],
                resources: [kind.resource],
              },
            ],
          },
        });
        if (problem !== undefined) problems.push(problem);
      }
      refused.push(problems);
    }
    await this.#untilInForce(`ready-${first}`);
    return refused;
  }

  /** Sends the object past the policies, then to them. undefined where the server will not have it either way. */
  async ask(number: number, { kind, object }: MutationCase): Promise<Mutated | undefined> {
    const before = await this.send(kind, object, "nobody");
    if (!("request" in before)) return undefined;
    const after = await this.send(kind, object, asker(number));
    if ("request" in after)
      return { request: before.request, outcome: { object: after.request.object as JsonObject } };
    return { request: before.request, outcome: after };
  }

  /** The request as a mutating webhook gets it after all policies; what the server says where it does not get so far. */
  async send(
    kind: MutationCase["kind"],
    object: Readonly<JsonObject>,
    user: string,
  ): Promise<{ readonly request: JsonObject } | { readonly refusal: string }> {
    const { question } = (object.metadata as { labels: { question: string } }).labels;
    const base = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
    const path = `${base}/namespaces/${namespace}/${kind.resource}?dryRun=All`;
    const answer = await this.#api.send("POST", path, object, asUser(user));
    const request = this.#webhook.take("CREATE", kind.resource, question);
    // What the object comes to later, in validation, is not the policies' doing.
    if (request !== undefined) return { request: withoutManagers(request as JsonObject) };
    return { refusal: (answer.body as { message?: string }).message ?? `status ${answer.status}` };
  }

  async remove(): Promise<void> {
    await this.#api.demand("DELETE", `${registration}/mutatingadmissionpolicybindings`);
    await this.#api.demand("DELETE", `${registration}/mutatingadmissionpolicies`);
  }

  async #create(name: string, spec: object): Promise<string | undefined> {
    const apiVersion = "admissionregistration.k8s.io/v1";
    const policy = { apiVersion, kind: "MutatingAdmissionPolicy", metadata: { name }, spec };
    const answer = await this.#api.send("POST", `${registration}/mutatingadmissionpolicies`, policy);
    if (answer.status >= 400) return (answer.body as { message: string }).message;
    await this.#api.demand("POST", `${registration}/mutatingadmissionpolicybindings`, {
      apiVersion,
      kind: "MutatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name },
    });
    return undefined;
  }

  /** All policies are taken in together, once a second: one more that was made last shows when. */
  async #untilInForce(name: string): Promise<void> {
    const expression = "Object{data: {'ready': 'yes'}}";
    const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
    const problem = await this.#create(name, {
      failurePolicy: "Fail",
      reinvocationPolicy: "Never",
      matchConditions: [{ name: "asker", expression: `request.userInfo.username == '${name}'` }],
      matchConstraints: { resourceRules: [rule] },
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
    });
    if (problem !== undefined) throw new Error(problem);
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "ready" } };
    await until("policies in force", async () => {
      const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`;
      const { body } = await this.#api.send("POST", path, object, asUser(name));
      return (body as { data?: { ready?: string } }).data?.ready === "yes";
    });
  }
}

export function policyName(number: number, order: number): string {
  return `oracle-${number}-${order}`;
}

function asker(number: number): string {
  return `asker-${number}`;
}

function asUser(user: string): Record<string, string> {
  return { "impersonate-user": user, "impersonate-group": "system:masters" };
}

/** Who wrote what when is no policy's doing. */
function withoutManagers(request: JsonObject): JsonObject {
  const object = request.object as JsonObject;
  const { managedFields: _, ...metadata } = object.metadata as JsonObject;
  return { ...request, object: { ...object, metadata } };
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

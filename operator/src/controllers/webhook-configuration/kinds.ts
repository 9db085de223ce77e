/**
 * `shieldx-kinds`, the configuration that the chart installs and not the operator: its caBundle is ours to fill in, and
 * what somebody deleted or changed of it is put back as the chart renders it. Labels, annotations and timeouts are the
 * release's; they are kept, and remembered for when the object is gone.
 */
import {
  type Client,
  type KubeObject,
  type ResourceType,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { KINDS_CONFIGURATION, LABEL, PROBE_WEBHOOK, WEBHOOK_PATH } from "@shieldx/crds";
import { findObjectDrift } from "../../drift.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { type DesiredObject, writeWhole } from "../../owned-object.ts";
import { bundlePatch } from "./apply.ts";
import { clientConfigOf, type WebhookAddress } from "./decide.ts";
import { PROBE_RULE } from "./rules.ts";

/** `timeoutSeconds` by the entry's name. */
export type Timeouts = Readonly<Record<string, number>>;

/** The chart's own default (values.yaml, webhooks.timeoutSeconds). */
const DEFAULT_TIMEOUT_SECONDS = 5;
const KINDS_WEBHOOK = "kinds.shieldx.io";

function timeoutsOf({ webhooks }: ValidatingWebhookConfiguration): Timeouts {
  const pairs = (webhooks ?? []).map(({ name, timeoutSeconds }) => [name, timeoutSeconds] as const);
  return Object.fromEntries(pairs.filter((pair): pair is [string, number] => pair[1] !== undefined));
}

interface Place {
  readonly address: WebhookAddress;
  readonly namespace: string;
}

/** As charts/shieldx/templates/kinds-webhook.yaml renders it, but for the release's labels, and with the bundle. */
export function kindsConfiguration(
  { address, namespace }: Place,
  caBundlePem: string,
  timeouts: Timeouts = {},
): DesiredObject & { readonly webhooks: readonly object[] } {
  const caBundle = Buffer.from(caBundlePem, "utf8").toString("base64");
  const timeoutOf = (entry: string) => timeouts[entry] ?? DEFAULT_TIMEOUT_SECONDS;
  const shared = (name: string) => ({
    name,
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    timeoutSeconds: timeoutOf(name),
  });
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: KINDS_CONFIGURATION },
    webhooks: [
      {
        ...shared(KINDS_WEBHOOK),
        clientConfig: clientConfigOf(address, "admit", WEBHOOK_PATH.kinds, caBundle),
        failurePolicy: "Ignore",
        matchPolicy: "Equivalent",
        rules: [
          {
            apiGroups: ["shieldx.io"],
            apiVersions: ["v1alpha1"],
            operations: ["CREATE", "UPDATE"],
            resources: [
              "shieldpolicies",
              "namespacedshieldpolicies",
              "shieldexceptions",
              "shieldgenerators",
              "shieldcleanups",
              "shieldbreakglasses",
            ],
            scope: "*",
          },
        ],
      },
      {
        ...shared(PROBE_WEBHOOK),
        clientConfig: clientConfigOf(address, "probe", WEBHOOK_PATH.probe, caBundle),
        failurePolicy: "Fail",
        matchPolicy: "Exact",
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        objectSelector: { matchLabels: { [LABEL.handshakeProbe]: KINDS_CONFIGURATION } },
        rules: [PROBE_RULE],
      },
    ],
  };
}

/** Remembers what the release decides, so that it survives the object. */
export class KindsRelease {
  readonly #place: Place;
  #timeouts: Timeouts | undefined;
  #metadata: Pick<KubeObject["metadata"], "labels" | "annotations"> = {};

  constructor(place: Place) {
    this.#place = place;
  }

  /** What to hold, given the object as it is, or as it was when it went. */
  desired(source: ValidatingWebhookConfiguration | undefined, caBundlePem: string): DesiredObject {
    if (source !== undefined) {
      const { labels, annotations } = source.metadata;
      this.#metadata = { ...(labels && { labels }), ...(annotations && { annotations }) };
      const timeouts = timeoutsOf(source);
      const asIs = kindsConfiguration(this.#place, caBundlePem, timeouts);
      // Timeouts of one that was tampered with are not the release's.
      if (this.#timeouts === undefined || isBundleOnly(findObjectDrift(source, asIs))) {
        this.#timeouts = timeouts;
      }
    }
    return kindsConfiguration(this.#place, caBundlePem, this.#timeouts);
  }

  /** Where only the bundle differs, as in a rotation, everything else stays with whoever installed it. */
  async write(
    client: Client,
    type: ResourceType,
    cached: KubeObject | undefined,
    desired: DesiredObject,
  ): Promise<KubeObject> {
    if (cached !== undefined && isBundleOnly(findObjectDrift(cached, desired))) {
      const [entry] = (desired as unknown as ValidatingWebhookConfiguration).webhooks ?? [];
      const existing = cached as ValidatingWebhookConfiguration;
      const patch = bundlePatch(existing, entry?.clientConfig.caBundle ?? "");
      const options = { fieldManager: FIELD_MANAGER.webhookConfiguration, force: true };
      return client.apply(ValidatingWebhookConfiguration, patch, options);
    }
    const owners = cached?.metadata.ownerReferences;
    const kept = { ...this.#metadata, ...(owners && { ownerReferences: owners }) };
    const whole = { ...desired, metadata: { ...kept, ...desired.metadata } };
    return writeWhole(client, type, cached, whole, FIELD_MANAGER.kindsRestoration);
  }
}

function isBundleOnly(drift: readonly string[]): boolean {
  return drift.every((path) => path.endsWith(".clientConfig.caBundle"));
}

import { type Client, type KubeObject, ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { KindsRelease, kindsConfiguration } from "./kinds.ts";

const place = { address: { kind: "service", namespace: "n" }, namespace: "n" } as const;
const installed = (over: object = {}, timeouts = { "kinds.shieldx.io": 7, "probe.shieldx.io": 7 }) => {
  const rendered = kindsConfiguration(place, "old bundle", timeouts);
  const metadata = { ...rendered.metadata, uid: "u", labels: { "helm.sh/chart": "shieldx-1" } };
  return { ...rendered, metadata, ...over } as unknown as ValidatingWebhookConfiguration;
};
const timeoutsOf = (desired: unknown) =>
  (desired as ValidatingWebhookConfiguration).webhooks?.map(({ timeoutSeconds }) => timeoutSeconds);

interface Applied {
  readonly object: KubeObject & { readonly webhooks: readonly object[] };
  readonly fieldManager: string;
}

async function write(
  release: KindsRelease,
  cached: ValidatingWebhookConfiguration | undefined,
  bundle: string,
) {
  const applied: Applied[] = [];
  const client = {
    apply: async (_: unknown, object: Applied["object"], { fieldManager }: { fieldManager: string }) => {
      applied.push({ object, fieldManager });
      return object;
    },
  } as unknown as Client;
  const desired = release.desired(cached, bundle);
  await release.write(client, ValidatingWebhookConfiguration, cached, desired);
  return applied;
}

describe("shieldx-kinds", () => {
  it("gets nothing but its bundle while that is all it lacks", async () => {
    const [applied, ...more] = await write(new KindsRelease(place), installed(), "new bundle");
    expect(more).toEqual([]);
    expect(applied?.fieldManager).toBe("shieldx-webhook-configuration");
    const caBundle = Buffer.from("new bundle").toString("base64");
    expect(applied?.object.webhooks).toEqual([
      { name: "kinds.shieldx.io", clientConfig: { caBundle } },
      { name: "probe.shieldx.io", clientConfig: { caBundle } },
    ]);
  });

  it("comes back with the labels and timeouts of its release", async () => {
    const release = new KindsRelease(place);
    release.desired(installed(), "old bundle");
    const [applied] = await write(release, undefined, "old bundle");
    expect(applied?.fieldManager).toBe("shieldx-kinds-restoration");
    expect(applied?.object.metadata.labels).toEqual({ "helm.sh/chart": "shieldx-1" });
    expect(timeoutsOf(applied?.object)).toEqual([7, 7]);
  });

  it("takes over timeouts that an upgrade changed, not those of one that was tampered with", () => {
    const release = new KindsRelease(place);
    release.desired(installed(), "b");
    const upgraded = installed({}, { "kinds.shieldx.io": 9, "probe.shieldx.io": 9 });
    expect(timeoutsOf(release.desired(upgraded, "b"))).toEqual([9, 9]);
    const [entry, ...rest] = installed({}, { "kinds.shieldx.io": 1, "probe.shieldx.io": 1 }).webhooks ?? [];
    const tampered = installed({ webhooks: [{ ...entry, failurePolicy: "Fail" }, ...rest] });
    expect(timeoutsOf(release.desired(tampered, "b"))).toEqual([9, 9]);
  });
});

// What the operator puts back where `shieldx-kinds` was tampered with is what the chart renders.
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { renderChart } from "../../../../e2e/shieldx/chart.ts";
import { findObjectDrift } from "../../drift.ts";
import { kindsConfiguration } from "./kinds.ts";

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
}

const namespace = "elsewhere";
const admit = "https://203.0.113.7:9443";
const probe = "https://203.0.113.7:9444";

it.each([
  ["a Service", {}, { kind: "service", namespace } as const],
  ["URLs", { "webhooks.url": admit, "webhooks.probeUrl": probe }, { kind: "url", admit, probe } as const],
])("is the chart's, reached through %s", async (_, values, address) => {
  const manifests = await renderChart({ ...values, "webhooks.timeoutSeconds": "7" }, namespace);
  const rendered = parseAllDocuments(manifests)
    .map((document) => document.toJS() as Rendered | null)
    .find((object) => object?.metadata.name === "shieldx-kinds");
  const timeouts = { "kinds.shieldx.io": 7, "probe.shieldx.io": 7 };
  const ours = kindsConfiguration({ address, namespace }, "bundle", timeouts);
  const withoutBundle = JSON.parse(JSON.stringify(ours), (key, value) =>
    key === "caBundle" ? undefined : value,
  );
  if (rendered === undefined || rendered === null) throw new Error("the chart renders no shieldx-kinds");
  expect(findObjectDrift(rendered, withoutBundle)).toEqual([]);
});

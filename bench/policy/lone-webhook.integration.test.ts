// The stand by itself, with the one engine that has always been evaluated by the webhook.
import { expect, it } from "vitest";
import { podSecurityPolicy } from "../../e2e/shieldx/objects.ts";
import { WebhookStand } from "./lone-webhook.ts";
import { reviewOf } from "./review.ts";
import { isAllowed, ReviewLanes } from "./review-lanes.ts";
import { changedPod } from "./rules/pod-change.ts";

it("is ready without a cluster, judges reviews of several connections, and does so again", async () => {
  const policy = podSecurityPolicy("restricted", { podSecurity: { level: "restricted" } });
  await using stand = await WebhookStand.set([policy], { shop: { team: "shop" } });
  for (let round = 0; round < 2; round++) {
    await using webhook = await stand.start();
    expect(webhook.readyMs).toBeGreaterThan(0);
    await using lanes = await ReviewLanes.open(webhook.endpoint, 4);
    const good = Buffer.from(JSON.stringify(reviewOf(changedPod("good", {}), "shop", "good")));
    const load = await lanes.load([good], 200);
    expect(load.requests).toBeGreaterThan(0);
    const bad = changedPod("bad", { spec: { hostNetwork: true } });
    expect(isAllowed(await lanes.ask(0, Buffer.from(JSON.stringify(reviewOf(bad, "shop", "bad")))))).toBe(
      false,
    );
    expect(webhook.process.usage().rssBytes).toBeGreaterThan(0);
  }
});

// All Pod Security fixtures that Kubernetes publishes, as AdmissionReviews over HTTPS to a running webhook process.
import { Agent } from "node:https";
import { allChecks } from "@shieldx/policy-engine";
import {
  readUpstreamFixtures,
  type UpstreamFixture,
  upstreamFixtureCount,
} from "@shieldx/policy-engine/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { review, send } from "./server/server.test-kit.ts";
import { startTestBed, type TestBed, untilReady, type WebhookProcess } from "./webhook-process.test-kit.ts";

interface Outcome {
  readonly fixture: UpstreamFixture;
  readonly allowed: boolean;
  readonly message: string;
}

describe("Pod Security fixtures through the webhook's HTTPS endpoint", () => {
  let bed: TestBed;
  let webhook: WebhookProcess;
  let fixtures: UpstreamFixture[];
  let outcomes: Outcome[];

  /** One namespace and one policy for each level and version; the namespace's labels choose the policy. */
  const nameOf = ({ level, version }: UpstreamFixture) => `${level}-${version.replace(".", "-")}`;

  async function ask(fixture: UpstreamFixture, agent: Agent): Promise<Outcome> {
    const options = { path: "/admit/policies/fail?timeout=30s", agent };
    const { status, body } = await send(
      webhook.ports.https,
      bed.ca.certificatePem,
      reviewOf(fixture),
      options,
    );
    expect(status).toBe(200);
    const { response } = JSON.parse(body);
    return { fixture, allowed: response.allowed, message: response.status?.message ?? "" };
  }

  beforeAll(async () => {
    fixtures = await readUpstreamFixtures();
    bed = await startTestBed("webhooks-conformance");
    await bed.writeSecret(await bed.newLeaf());
    const combinations = [...new Map(fixtures.map((fixture) => [nameOf(fixture), fixture])).values()];
    await bed.apply(
      ...combinations.map((fixture) => ({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: nameOf(fixture), labels: { "fixtures/of": nameOf(fixture) } },
      })),
      ...combinations.map((fixture) => ({
        apiVersion: "shieldx.io/v1alpha1",
        kind: "ShieldPolicy",
        metadata: { name: nameOf(fixture) },
        spec: {
          engine: "podSecurity",
          podSecurity: { level: fixture.level, version: fixture.version },
          matchConstraints: { namespaceSelector: { matchLabels: { "fixtures/of": nameOf(fixture) } } },
          actions: { admission: "deny", background: "off" },
        },
      })),
    );
    webhook = await bed.start();
    await untilReady(webhook);
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const startedAt = performance.now();
    outcomes = [];
    const queue = [...fixtures];
    const worker = async (): Promise<void> => {
      for (let fixture = queue.pop(); fixture !== undefined; fixture = queue.pop()) {
        outcomes.push(await ask(fixture, agent));
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    agent.destroy();
    console.info(`${outcomes.length} fixtures over HTTPS in ${Math.round(performance.now() - startedAt)} ms`);
  }, 300_000);
  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  it("are all there", () => {
    expect(outcomes).toHaveLength(upstreamFixtureCount);
    expect(upstreamFixtureCount).toBe(4537);
  });

  it("get the verdict upstream gives them", () => {
    const wrong = outcomes.filter(({ fixture, allowed }) => allowed !== (fixture.expected === "pass"));
    expect(wrong.map(({ fixture }) => fixture.file)).toEqual([]);
  });

  it("are refused by the check the file is named for", () => {
    const refused = outcomes.filter(({ allowed }) => !allowed);
    expect(refused.length).toBeGreaterThan(3_000);
    const wrong = refused.filter(
      ({ fixture, message }) => !checksNamed(fixture.subject).some((id) => mentions(message, id)),
    );
    expect(wrong.map(({ fixture, message }) => `${fixture.file}: ${message}`)).toEqual([]);
    expect(
      refused.every(({ fixture, message }) => message.startsWith(`ShieldPolicy "${nameOf(fixture)}"`)),
    ).toBe(true);
  });
});

function reviewOf({ pod, level, version }: UpstreamFixture) {
  const namespace = `${level}-${version.replace(".", "-")}`;
  const object = { apiVersion: "v1", kind: "Pod", ...pod };
  return review({ name: pod.metadata.name, namespace }, object);
}

/** The check a file is named for, and those that take its place at a stricter level. */
function checksNamed(subject: string): string[] {
  const named = allChecks.find(({ id }) => id.toLowerCase() === subject);
  if (named === undefined) throw new Error(`no check is named like the fixture "${subject}"`);
  const replacing = allChecks.filter(({ editions }) =>
    editions.some(({ replaces }) => replaces === named.id),
  );
  return [named.id, ...replacing.map(({ id }) => id)];
}

function mentions(message: string, id: string): boolean {
  return message.includes(`: ${id} (`) || message.includes(`; ${id} (`) || message.includes(`: ${id}.`);
}

import {
  ApiError,
  type Client,
  ManualClock,
  silentLogger,
  TransportError,
} from "@shieldx/controller-runtime";
import { beforeEach, describe, expect, it } from "vitest";
import { type RbacRule, webhooksRbac } from "../rbac.ts";
import { request, settle } from "./process.test-kit.ts";
import { awaitServer, StartupError } from "./startup.ts";

describe("waiting for the API server", () => {
  const clientAnswering = (...answers: (Error | { major: number; minor: number; gitVersion: string })[]) => {
    const serverVersion = async () => {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const request = async () => {
      const resourceRules = rules.length > 1 ? rules.shift() : rules[0];
      return { body: JSON.stringify({ status: { resourceRules } }) };
    };
    return { server: "https://api", serverVersion, request } as unknown as Client;
  };
  const all = [...webhooksRbac.cluster, ...webhooksRbac.namespace];
  let rules: (readonly RbacRule[])[] = [];
  beforeEach(() => {
    rules = [all];
  });
  const current = { major: 1, minor: 37, gitVersion: "v1.37.2" };
  const listening = () => {
    const said: string[] = [];
    return { said, logger: { ...silentLogger, warn: (_: object, line: string) => said.push(line) } };
  };
  const without = (resource: string) => all.filter(({ resources }) => !resources.includes(resource));
  const never = new AbortController().signal;

  it("goes on until it answers", async () => {
    const clock = new ManualClock();
    const client = clientAnswering(
      new TransportError("ConnectionFailed", request, "refused"),
      new ApiError(request, 503, {}),
      { major: 1, minor: 37, gitVersion: "v1.37.2" },
    );
    const waiting = awaitServer(client, clock, silentLogger, "ns", never);
    for (let i = 0; i < 5; i++) {
      await settle();
      clock.advance(10_000);
    }
    expect(await waiting).toBe(37);
  });

  it("waits for the rights to serve, naming what is missing once", async () => {
    const clock = new ManualClock();
    const { said, logger } = listening();
    rules = [without("secrets"), without("secrets"), without("namespaces"), all];
    const waiting = awaitServer(clientAnswering(current), clock, logger, "ns", never);
    for (let i = 0; i < 8; i++) {
      await settle();
      clock.advance(10_000);
    }
    expect(await waiting).toBe(37);
    expect(said).toHaveLength(2);
    expect(said[0]).toMatch(
      /^missing rights: list,watch,get secrets "shieldx-webhooks-tls"\. Install the chart's/,
    );
    expect(said[1]).toMatch(/^missing rights: list,watch,get namespaces\. /);
  });

  it("serves without the rights it can do without, and says so", async () => {
    const { said, logger } = listening();
    rules = [without("events")];
    expect(await awaitServer(clientAnswering(current), new ManualClock(), logger, "ns", never)).toBe(37);
    expect(said).toEqual([
      expect.stringMatching(/create,patch events\.events\.k8s\.io\. Requests are served/),
    ]);
  });

  it.each([
    [
      "an old server",
      { major: 1, minor: 33, gitVersion: "v1.33.1" },
      "OldServer",
      /v1.33.1; ShieldX needs Kubernetes 1.34/,
    ],
    ["an unknown identity", new ApiError(request, 401, {}), "Unauthorized", /does not know this identity/],
    [
      "an untrusted certificate",
      new TransportError("TlsFailed", request, "self-signed"),
      "Untrusted",
      /certificate-authority/,
    ],
  ])("ends with one clear line for %s", async (_, answer, code, message) => {
    const waiting = awaitServer(clientAnswering(answer), new ManualClock(), silentLogger, "ns", never);
    await expect(waiting).rejects.toMatchObject({
      name: "StartupError",
      code,
      message: expect.stringMatching(message),
    });
    await expect(waiting).rejects.toBeInstanceOf(StartupError);
  });
});

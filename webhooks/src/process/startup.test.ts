import {
  ApiError,
  type Client,
  ManualClock,
  silentLogger,
  TransportError,
} from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { request, settle } from "./process.test-kit.ts";
import { awaitServer, StartupError } from "./startup.ts";

describe("waiting for the API server", () => {
  const clientAnswering = (...answers: (Error | { major: number; minor: number; gitVersion: string })[]) => {
    const serverVersion = async () => {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) throw answer;
      return answer;
    };
    return { server: "https://api", serverVersion } as unknown as Client;
  };
  const never = new AbortController().signal;

  it("goes on until it answers", async () => {
    const clock = new ManualClock();
    const client = clientAnswering(
      new TransportError("ConnectionFailed", request, "refused"),
      new ApiError(request, 503, {}),
      { major: 1, minor: 37, gitVersion: "v1.37.2" },
    );
    const waiting = awaitServer(client, clock, silentLogger, never);
    for (let i = 0; i < 5; i++) {
      await settle();
      clock.advance(10_000);
    }
    expect(await waiting).toBe(37);
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
    const waiting = awaitServer(clientAnswering(answer), new ManualClock(), silentLogger, never);
    await expect(waiting).rejects.toMatchObject({
      name: "StartupError",
      code,
      message: expect.stringMatching(message),
    });
    await expect(waiting).rejects.toBeInstanceOf(StartupError);
  });
});

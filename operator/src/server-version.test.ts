import { type Client, ManualClock, silentLogger } from "@shieldx/controller-runtime";
import { expect, it } from "vitest";
import { followServerVersion } from "./server-version.ts";

it("reads the API server's version again and again, whatever a look comes to, until it is aborted", async () => {
  const clock = new ManualClock(0);
  const answers: (number | Error)[] = [36, new Error("not now"), 37];
  const seen: number[] = [];
  const serverVersion = async () => {
    const answer = answers.shift() ?? 37;
    if (answer instanceof Error) throw answer;
    return { major: 1, minor: answer, gitVersion: `v1.${answer}.0` };
  };
  const client = { serverVersion } as Pick<Client, "serverVersion">;
  const stop = new AbortController();
  const observe = (minor: number): boolean => {
    seen.push(minor);
    return true;
  };
  const done = followServerVersion({ client, clock, logger: silentLogger, observe }, stop.signal);
  for (let look = 0; look < 3; look++) await clock.advanceAsync(10 * 60_000);
  expect(seen).toEqual([36, 37]);
  stop.abort();
  await done;
});

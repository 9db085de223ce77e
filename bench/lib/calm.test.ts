import { expect, it } from "vitest";
import { untilCalm } from "./calm.ts";
import { MeasuredProcess } from "./measured-process.ts";

it("waits for a process that has something to do, and gives up on one that never ends", async () => {
  const program = (until: string) =>
    `console.log('{"event":"busy"}'); const began = Date.now(); while (Date.now() < ${until}); setInterval(() => {}, 1e3)`;
  const start = (until: string) =>
    new MeasuredProcess({ command: process.execPath, args: ["-e", program(until)] });
  await using busy = start("began + 500");
  await busy.report("busy", 30_000);
  await untilCalm([busy.pid], 30_000);
  expect(busy.usage().cpuMs).toBeGreaterThan(100);
  await using never = start("Infinity");
  await never.report("busy", 30_000);
  await expect(untilCalm([never.pid], 1_000)).rejects.toThrow("did not calm down in 1000 ms");
});

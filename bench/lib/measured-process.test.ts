import { expect, it } from "vitest";
import { MeasuredProcess } from "./measured-process.ts";

function node(program: string): MeasuredProcess {
  return new MeasuredProcess({ command: process.execPath, args: ["-e", program] });
}

it("reads what a process reports and uses, and ends it", async () => {
  await using child = node(
    "let n = 0; while (process.cpuUsage().user < 5e4) n++;" +
      'console.log(JSON.stringify({ event: "ready", at: Number(process.hrtime.bigint()) / 1e6 })); setInterval(() => {}, 1000)',
  );
  const { at } = await child.report("ready", 30_000);
  expect(Number(at)).toBeGreaterThan(child.startedAt);
  const usage = child.usage();
  expect(usage.cpuMs).toBeGreaterThanOrEqual(40);
  expect(usage.rssBytes).toBeGreaterThan(10 * 2 ** 20);
  expect(usage.peakRssBytes).toBeGreaterThanOrEqual(usage.rssBytes);
  await child.stop();
  expect(() => child.usage()).toThrow();
});

it("says what a process wrote when it ends without the report", async () => {
  await using child = node('console.error("no such cluster"); process.exitCode = 3');
  await expect(child.report("ready", 30_000)).rejects.toThrow(/ended \(exit 3\)[\s\S]*no such cluster/);
});

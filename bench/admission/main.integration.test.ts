// A tiny run of the benchmark, without the peer that takes minutes to build, so that it does not rot.
import { runCommand } from "@shieldx/e2e/cluster";
import { expect, it } from "vitest";
import { parseLine } from "../lib/line.ts";

it("compares verdicts first, then measures creates, starts and an audit", async () => {
  const { code, stdout, stderr } = await runCommand(
    process.execPath,
    [new URL("./main.ts", import.meta.url).pathname],
    { env: { ...process.env, QUICK: "1", GATEKEEPER: "0", PODS: "200" } },
  );
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stderr).toMatch(/verdicts equal on [1-9]\d* Pods, [1-9]\d* of them refused/);
  expect(stderr).toMatch(/200 Pods seeded/);
  const lines = stdout.trimEnd().split("\n").map(parseLine);
  const created = lines.filter(({ name }) => name === "Pods created, 8 in flight");
  expect(created.map(({ peer }) => peer)).toEqual(["none", "psa", "vap", "floor"]);
  for (const { value, peerValue } of created) expect(Math.min(value, peerValue)).toBeGreaterThan(0);
});

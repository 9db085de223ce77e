// A tiny run of the benchmark, without the peer that takes minutes to build, so that it does not rot.
import { runCommand } from "@shieldx/e2e/cluster";
import { expect, it } from "vitest";
import { parseLine } from "../lib/line.ts";

it("audits by many policies, in CEL and in Rego, and writes nothing where it finds the same again", async () => {
  const { code, stdout, stderr } = await runCommand(
    process.execPath,
    [new URL("./main.ts", import.meta.url).pathname],
    { env: { ...process.env, QUICK: "1", GATEKEEPER: "0", PODS: "100", POLICIES: "3" } },
  );
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n").map(parseLine);
  for (const language of ["CEL", "Rego"]) {
    const of = (figure: string) =>
      lines.find(({ name }) => name === `100 Pods by 3 policies in ${language}: ${figure}`)?.value;
    expect(of("API writes"), language).toBeGreaterThanOrEqual(10 + 3);
    expect(of("held in etcd"), language).toBeGreaterThan(5);
    expect(of("once more, API writes"), language).toBe(0);
  }
});

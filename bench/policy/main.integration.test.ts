// A tiny run of the benchmark, without the peer that takes minutes to build, so that it does not rot.
import { runCommand } from "@shieldx/e2e/cluster";
import { expect, it } from "vitest";

/** Beside other loads everything but the turns takes its time. */
const longestMs = 600_000;

interface Line {
  readonly name: string;
  readonly value: number;
  readonly peer: string;
  readonly peerValue: number;
}

it(
  "compares verdicts first, then measures creates and starts",
  async () => {
    const { code, stdout, stderr } = await runCommand(
      process.execPath,
      [new URL("./main.ts", import.meta.url).pathname],
      { env: { ...process.env, QUICK: "1", GATEKEEPER: "0", SIZES: "3", TURN_SECONDS: "0.2" } },
    );
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(stderr).toMatch(/3 policies: verdicts equal on 7 Pods, 3 of them refused: vap-one,vap/);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    const peersOf = (name: string) => lines.filter((line) => line.name === name).map(({ peer }) => peer);
    for (const language of ["cel", "rego", "cel, native"]) {
      expect(peersOf(`Pods created, 8 in flight, 3 policies, ${language}`)).toEqual([
        "none",
        "floor",
        "vap-one",
        "vap",
      ]);
    }
    expect(peersOf("reviews answered, 8 connections, 3 policies, cel")).toEqual(["floor", "goal"]);
    expect(peersOf("reviews answered, 8 connections, 3 policies, rego")).toEqual(["floor", "goal"]);
    for (const { value, peerValue } of lines) expect([value > 0, peerValue >= 0]).toEqual([true, true]);
  },
  longestMs,
);

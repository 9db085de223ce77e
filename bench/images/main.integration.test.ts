// A tiny run of the benchmark, so that it does not rot.
import { runCommand } from "@shieldx/e2e/cluster";
import { expect, it } from "vitest";
import { parseLine } from "../lib/line.ts";

/** Beside other loads everything takes its time. */
const longestMs = 300_000;

it(
  "verifies by keys and certificates, first seen and kept, beside what a review takes and the bare signature",
  async () => {
    const main = new URL("./main.ts", import.meta.url).pathname;
    const env = { ...process.env, QUICK: "1", IMAGES: "16" };
    const { code, stdout, stderr } = await runCommand(process.execPath, [main], { env });
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n").map(parseLine);
    const names = ["key", "certificate"].flatMap((kind) =>
      ["first seen", "kept by digest"].flatMap((when) =>
        ["8 connections", "p99"].map((figure) => `images signed by a ${kind}, ${when}, ${figure}`),
      ),
    );
    expect(lines.map(({ name, peer }) => [name, peer])).toEqual(
      names.flatMap((name) => ["no rule", "crypto.verify"].map((peer) => [name, peer])),
    );
    for (const { value, peerValue } of lines) expect([value > 0, peerValue > 0]).toEqual([true, true]);
  },
  longestMs,
);

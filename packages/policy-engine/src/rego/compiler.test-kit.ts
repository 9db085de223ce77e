/** The compiler module for tests: built from `rego-compiler/`, where there is Go to build it with. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { buildGoBinaryOrSkip, type GoBinary, regoCompiler } from "@shieldx/e2e/cluster/build";
import { readAnswer } from "./compiler/answer.ts";
import type { RegoCompiler } from "./compiler/index.ts";
import { requestLine } from "./compiler/request.ts";
import { loadPlan } from "./plan/index.ts";

/** For this machine, which compiles a large batch some times faster. */
export const nativeCompiler: GoBinary = { module: regoCompiler.module, output: "rego-compiler" };

/** Path of the built module; undefined, and said so, where Go is missing. What else goes wrong is thrown. */
export function builtCompiler(binary: GoBinary = regoCompiler): Promise<string | undefined> {
  return buildGoBinaryOrSkip(binary, "tests of the Rego compiler");
}

/** As the module in WebAssembly answers, some times sooner. @param binary built from `nativeCompiler` */
export function nativeRegoCompiler(binary: string): RegoCompiler {
  return {
    check: async () => undefined,
    async compile(requests) {
      const child = spawn(binary, { stdio: ["pipe", "pipe", "inherit"] });
      const chunks: string[] = [];
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
      child.stdin.end(requests.map((request, at) => `${requestLine(request, String(at))}\n`).join(""));
      await once(child, "close");
      const lines = chunks.join("").split("\n");
      return requests.map((_, at) => {
        const answer = readAnswer(lines[at] ?? "");
        if (answer?.plan === undefined) return { ok: false, problems: answer?.problems ?? [], digest: "" };
        return { ok: true, plan: loadPlan(answer.plan), digest: "", planned: answer.planned };
      });
    },
  };
}

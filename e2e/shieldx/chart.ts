import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { buildHelm } from "../cluster/index.ts";

const run = promisify(execFile);
/** Renders charts/NAME with Helm itself, as release NAME. Values are Helm's: `a.b=c`. Throws with Helm's own message. */
export async function renderChart(
  values: Readonly<Record<string, string>>,
  namespace = "shieldx-system",
  name: "shieldx" | "shieldx-policies" = "shieldx",
): Promise<string> {
  const chart = new URL(`../../charts/${name}`, import.meta.url).pathname;
  const helm = await buildHelm();
  const set = Object.entries(values).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const { stdout } = await run(
    helm,
    ["template", name, chart, "--kube-version", "1.37.2", "--namespace", namespace, ...set],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return stdout;
}

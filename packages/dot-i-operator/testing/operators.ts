import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transform } from "esbuild";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
const repository = fileURLToPath(new URL("../../../", import.meta.url));
const OURS = "@shieldx/dot-i-operator";
const THEIRS = "@dot-i/k8s-operator";

export type Side = "theirs" | "ours";

/** Both operators, ready to be started: one text, compiled once with each import. */
export class Operators {
  readonly folder: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async prepare(): Promise<Operators> {
    const operators = new Operators(await mkdtemp(join(tmpdir(), "dot-i-")));
    const text = await readFile(join(here, "widget-operator.ts"), "utf8");
    await Promise.all([
      operators.#place("theirs", text.replaceAll(OURS, THEIRS)),
      operators.#place("ours", text),
    ]);
    return operators;
  }

  /** The class must also satisfy the original's own types, or it was not written for it. */
  async typeCheckTheirs(): Promise<void> {
    const folder = join(this.folder, "theirs");
    const options = {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      module: "node20",
      target: "es2024",
      types: ["node"],
    };
    const typeRoots = [join(repository, "node_modules/@types")];
    const config = { compilerOptions: { ...options, typeRoots }, files: ["operator.ts"] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    await run(join(repository, "node_modules/.bin/tsc"), ["-p", folder]);
  }

  start(side: Side, kubeconfig: string, namespace: string, crdFile = ""): RunningOperator {
    const child = spawn(process.execPath, [join(this.folder, side, "operator.cjs")], {
      env: { ...process.env, KUBECONFIG: kubeconfig, WIDGET_NAMESPACE: namespace, WIDGET_CRD: crdFile },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return new RunningOperator(child);
  }

  async remove(): Promise<void> {
    for (const child of this.#running) child.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }

  async #place(side: Side, text: string): Promise<void> {
    const folder = join(this.folder, side);
    await mkdir(join(folder, "node_modules/@shieldx"), { recursive: true });
    await writeFile(join(folder, "operator.ts"), text);
    const { code } = await transform(text, { loader: "ts", format: "cjs", target: "node24" });
    await writeFile(join(folder, "operator.cjs"), code);
    if (side === "ours") {
      // Node strips the types of what a link in node_modules points to.
      await symlink(join(here, ".."), join(folder, "node_modules", OURS));
      // What the original brought, an operator that uses k8sApi now installs itself.
      await symlink(
        join(this.folder, "theirs/node_modules/@kubernetes"),
        join(folder, "node_modules/@kubernetes"),
      );
      return;
    }
    await cp(join(here, "original"), folder, { recursive: true });
    await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder });
  }
}

export interface Told {
  readonly type?: string;
  readonly cleanedUp?: string;
  readonly meta?: { readonly name: string };
  readonly status?: object;
}

/** An operator's process and what it told so far. */
export class RunningOperator {
  readonly #child: ChildProcess;
  #output = "";
  log = "";
  /** undefined while it runs. */
  exit: { code: number | null } | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.log += chunk.toString();
    });
    child.once("exit", (code) => {
      this.exit = { code };
    });
  }

  /** Events and clean-ups, in order. */
  get told(): Told[] {
    return this.#output
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Told);
  }

  /** Types of the events about one object, in order. */
  about(name: string): string[] {
    return this.told.filter(({ meta }) => meta?.name === name).map(({ type }) => type ?? "");
  }

  async stop(): Promise<void> {
    if (this.exit !== undefined) return;
    const exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await exited;
  }
}

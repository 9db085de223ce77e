/** Entry of the image: `shieldx COMMAND`. Each command is a chunk of its own, loaded only when it is asked for. */
import { readFileSync } from "node:fs";

type Main = (argv: readonly string[]) => Promise<number>;

const commands: Readonly<Record<string, { readonly summary: string; load(): Promise<{ main: Main }> }>> = {
  operator: {
    summary: "reconcile ShieldPolicies, certificates and reports (one leader, warm standbys)",
    load: () => import("@shieldx/operator/main"),
  },
  webhooks: {
    summary: "answer admission reviews (every replica)",
    load: () => import("@shieldx/webhooks/main"),
  },
  uninstall: {
    summary: "remove what the operator made, before the release itself is removed",
    load: () => import("@shieldx/operator/uninstall"),
  },
};

function help(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return `Usage: shieldx COMMAND [OPTION...]

Commands:
${lines.join("\n")}

  shieldx COMMAND --help   the command's options
  shieldx --version        version of this image
`;
}

function version(): string {
  const text = readFileSync(new URL("./package.json", import.meta.url), "utf8");
  const { version: found } = JSON.parse(text) as { version?: string };
  return found ?? "unknown";
}

/** Status: 0 fine, 2 a command line nobody understands, otherwise the command's own. */
async function run(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help());
    return 0;
  }
  if (name === "--version" || name === "version") {
    process.stdout.write(`shieldx ${version()}\n`);
    return 0;
  }
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    process.stderr.write(
      `${name === undefined ? "No command given" : `Unknown command ${name}`}.\n${help()}`,
    );
    return 2;
  }
  const { main } = await command.load();
  return await main(rest);
}

process.exitCode = await run(process.argv.slice(2));

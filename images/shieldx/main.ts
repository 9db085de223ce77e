// The one entry of the image: `shieldx <process> [flags]`. Each process is
// loaded only when it is asked for, so that none pays for the other's imports.
type Main = (argv: readonly string[]) => Promise<number>;

const processes: Record<string, { readonly about: string; readonly load: () => Promise<{ main: Main }> }> = {
  operator: {
    about: "watch policies, render and guard what enforces them, rotate certificates, audit",
    load: () => import("@shieldx/operator/main"),
  },
  webhooks: {
    about: "answer the API server's admission reviews",
    load: () => import("@shieldx/webhooks/main"),
  },
};

function usage(): string {
  const list = Object.entries(processes).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  return `Usage: shieldx <process> [flags]\n\nProcesses:\n${list.join("\n")}\n\nshieldx <process> --help lists its flags.\n`;
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  const chosen = Object.hasOwn(processes, name) ? processes[name] : undefined;
  if (chosen === undefined) {
    process.stderr.write(`shieldx: no process "${name}"; there are: ${Object.keys(processes).join(", ")}\n`);
    return 2;
  }
  return await (await chosen.load()).main(rest);
}

process.exitCode = await main(process.argv.slice(2));

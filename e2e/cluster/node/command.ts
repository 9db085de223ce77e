/** Host programs that have to succeed (`ip`, `mount`, `dpkg`). */
import { type CommandOptions, runCommand } from "../command.ts";
import { ClusterError } from "../errors.ts";

/** Standard output. Throws `COMMAND_FAILED` with what the program said, also when it cannot be started or takes over a minute. */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { stdout, stderr, code } = await runCommand(command, args, { timeoutMs: 60_000, ...options });
  if (code !== 0) {
    throw new ClusterError(
      "COMMAND_FAILED",
      `${[command, ...args].join(" ")} ended with status ${code}: ${(stderr || stdout).trim()}`,
    );
  }
  return stdout;
}

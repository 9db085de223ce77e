import type { Command } from "commander";
import { UsageError } from "./errors.ts";

/** Every word that may follow each command path, e.g. "policy check" -> "--file --policies ...". */
function words(command: Command, path = ""): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const options = command.options
    .flatMap((o) => [o.long, o.short])
    .filter((o) => o !== undefined && o !== null);
  found.set(path, [...command.commands.map((c) => c.name()), ...options, "--help"]);
  for (const sub of command.commands) {
    for (const [key, value] of words(sub, `${path} ${sub.name()}`.trim())) found.set(key, value);
  }
  return found;
}

function bash(tree: Map<string, string[]>): string {
  const cases = [...tree].map(([path, list]) => `    "${path}") words="${list.join(" ")}" ;;`).join("\n");
  return `# bash completion for shieldctl; load with: source <(shieldctl completion bash)
_shieldctl() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || path="\${path:+$path }$word"
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _shieldctl shieldctl
`;
}

function zsh(tree: Map<string, string[]>): string {
  return `#compdef shieldctl
# zsh completion for shieldctl; load with: source <(shieldctl completion zsh)
autoload -U +X bashcompinit && bashcompinit
${bash(tree)}`;
}

function fish(tree: Map<string, string[]>): string {
  const lines = [...tree].flatMap(([path, list]) => {
    const seen =
      path === ""
        ? "__fish_use_subcommand"
        : path
            .split(" ")
            .map((w) => `__fish_seen_subcommand_from ${w}`)
            .join("; and ");
    return list.map((word) =>
      word.startsWith("--")
        ? `complete -c shieldctl -n '${seen}' -l ${word.slice(2)}`
        : word.startsWith("-")
          ? `complete -c shieldctl -n '${seen}' -s ${word.slice(1)}`
          : `complete -c shieldctl -n '${seen}' -f -a ${word}`,
    );
  });
  return `# fish completion for shieldctl; load with: shieldctl completion fish | source\n${lines.join("\n")}\n`;
}

/** The completion script for a shell. Throws UsageError for one it does not know. */
export function completionScript(shell: string, program: Command): string {
  const tree = words(program);
  switch (shell) {
    case "bash":
      return bash(tree);
    case "zsh":
      return zsh(tree);
    case "fish":
      return fish(tree);
    default:
      throw new UsageError("UnknownShell", `no completion for ${shell}: choose bash, zsh or fish`);
  }
}

/** Prints the demo as a person reads it: numbered scenes, commands as typed, what they answered. */
export interface Narrator {
  scene(title: string): void;
  say(text: string): void;
  command(text: string): void;
  output(text: string): void;
}

export function narrator(write: (text: string) => void, color: boolean): Narrator {
  let scenes = 0;
  const style = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const indented = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => (line === "" ? "" : `   ${line}`))
      .join("\n");
  return {
    scene(title) {
      scenes += 1;
      write(`\n${style(1, `${scenes}. ${title}`)}\n`);
    },
    say: (text) => write(`${indented(text)}\n`),
    command: (text) => write(`${indented(style(36, `$ ${text}`))}\n`),
    output: (text) => write(text.trim() === "" ? "" : `${indented(text)}\n`),
  };
}

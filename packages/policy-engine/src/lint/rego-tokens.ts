/** Rego as tokens: enough to see which names a module uses, without a parser of its own. */

export interface RegoToken {
  readonly kind: "name" | "string" | "number" | "symbol";
  readonly text: string;
  /** 1-based. */
  readonly line: number;
  /** Begins its line. */
  readonly isFirst: boolean;
  /** Brackets that are open before it. */
  readonly depth: number;
}

const symbols = [":=", "==", "!=", "<=", ">="];

/** Never throws: what is no Rego gives tokens that mean nothing. */
export function regoTokens(source: string): RegoToken[] {
  const tokens: RegoToken[] = [];
  let at = 0;
  let line = 1;
  let depth = 0;
  let isFirst = true;
  while (at < source.length) {
    const char = source.charAt(at);
    if (char === "\n") {
      line++;
      isFirst = true;
      at++;
    } else if (char === "#") {
      const end = source.indexOf("\n", at);
      at = end === -1 ? source.length : end;
    } else if (char === " " || char === "\t" || char === "\r") at++;
    else {
      const token = readToken(source, at);
      if ("}])".includes(char)) depth = Math.max(0, depth - 1);
      tokens.push({ ...token, line, isFirst, depth });
      if ("{[(".includes(char)) depth++;
      isFirst = false;
      line += token.text.split("\n").length - 1;
      at += token.text.length;
    }
  }
  return tokens;
}

function readToken(source: string, at: number): Pick<RegoToken, "kind" | "text"> {
  const char = source.charAt(at);
  if (char === '"') return { kind: "string", text: source.slice(at, endOfString(source, at)) };
  if (char === "`") {
    const end = source.indexOf("`", at + 1);
    return { kind: "string", text: source.slice(at, end === -1 ? source.length : end + 1) };
  }
  const word = /[A-Za-z_]\w*/y;
  word.lastIndex = at;
  const name = word.exec(source)?.[0];
  if (name !== undefined) return { kind: "name", text: name };
  const digits = /\d[\d.eE]*/y;
  digits.lastIndex = at;
  const number = digits.exec(source)?.[0];
  if (number !== undefined) return { kind: "number", text: number };
  const pair = source.slice(at, at + 2);
  return { kind: "symbol", text: symbols.includes(pair) ? pair : char };
}

function endOfString(source: string, start: number): number {
  let at = start + 1;
  while (at < source.length && source[at] !== '"' && source[at] !== "\n") at += source[at] === "\\" ? 2 : 1;
  return Math.min(at + 1, source.length);
}

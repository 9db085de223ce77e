/** What a registry asks credentials for: `WWW-Authenticate` (RFC 9110, 11.6.1), which a stranger writes. */

export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** By names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const longestHeader = 8_192;
const mostChallenges = 8;
const mostParameters = 16;

/** Signs of a token (RFC 9110, 5.6.2). */
const tokenSign = /[!#$%&'*+.^_`|~0-9A-Za-z-]/;

/** In order; what cannot be read ends the list. A header beyond all measure holds none. */
export function parseChallenges(header: string): readonly Challenge[] {
  if (header.length > longestHeader) return [];
  const text = new Text(header);
  const challenges: Challenge[] = [];
  text.skipSeparators();
  while (!text.isAtEnd && challenges.length < mostChallenges) {
    const scheme = text.token();
    if (scheme === "") break;
    const parameters = new Map<string, string>();
    text.skipBlanks();
    while (parameters.size < mostParameters) {
      const before = text.at;
      text.skipSeparators();
      const parameter = text.parameter();
      if (parameter === undefined) {
        // Another challenge begins here, or there is nothing more.
        text.at = before;
        break;
      }
      const [name, value] = parameter;
      if (!parameters.has(name)) parameters.set(name, value);
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    const before = text.at;
    text.skipSeparators();
    if (text.at === before) break;
  }
  return challenges;
}

class Text {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }

  skipBlanks(): void {
    while (/[ \t]/.test(this.#text.charAt(this.at))) this.at++;
  }

  skipSeparators(): void {
    while (/[ \t,]/.test(this.#text.charAt(this.at))) this.at++;
  }

  token(): string {
    const from = this.at;
    while (tokenSign.test(this.#text.charAt(this.at))) this.at++;
    return this.#text.slice(from, this.at);
  }

  /** `name=value` or `name="value"`; undefined, and nothing read, where there is none. */
  parameter(): readonly [string, string] | undefined {
    const from = this.at;
    const name = this.token().toLowerCase();
    this.skipBlanks();
    if (name !== "" && this.#text.charAt(this.at) === "=") {
      this.at++;
      this.skipBlanks();
      const value = this.#text.charAt(this.at) === '"' ? this.#quoted() : this.token();
      if (value !== undefined) return [name, value];
    }
    this.at = from;
    return undefined;
  }

  #quoted(): string | undefined {
    let value = "";
    for (let at = this.at + 1; at < this.#text.length; at++) {
      const sign = this.#text.charAt(at);
      if (sign === '"') {
        this.at = at + 1;
        return value;
      }
      if (sign === "\\") at++;
      value += this.#text.charAt(at);
    }
    return undefined;
  }
}

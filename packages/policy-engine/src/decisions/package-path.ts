/** Which package a Rego module declares, without compiling it: what is to be compiled depends on it. */

/** Terms of a path; more is no package a person wrote. */
const mostTerms = 64;

/**
 * `["app", "authz"]` for a module that begins with `package app.authz`. Undefined where no package is found: the
 * compiler then says what is wrong.
 */
export function packagePath(source: string): readonly string[] | undefined {
  let at = skipBlank(source, 0);
  if (!source.startsWith("package", at)) return undefined;
  const afterWord = at + "package".length;
  at = skipBlank(source, afterWord);
  if (at === afterWord) return undefined;
  const path: string[] = [];
  for (let term = readName(source, at); term !== undefined; term = readNext(source, at)) {
    path.push(term.text);
    if (path.length > mostTerms) return undefined;
    at = term.end;
  }
  return path.length === 0 ? undefined : path;
}

interface Term {
  readonly text: string;
  readonly end: number;
}

/** White space and comments; a comment reaches to the end of its line. */
function skipBlank(source: string, start: number): number {
  let at = start;
  for (;;) {
    while (at < source.length && " \t\r\n".includes(source.charAt(at))) at++;
    if (source.charAt(at) !== "#") return at;
    const end = source.indexOf("\n", at);
    at = end === -1 ? source.length : end;
  }
}

function readName(source: string, at: number): Term | undefined {
  const name = /[A-Za-z_][A-Za-z0-9_]*/y;
  name.lastIndex = at;
  const text = name.exec(source)?.[0];
  return text === undefined ? undefined : { text, end: at + text.length };
}

/** `.name` or `["name"]`. */
function readNext(source: string, at: number): Term | undefined {
  if (source.charAt(at) === ".") return readName(source, at + 1);
  if (!source.startsWith('["', at)) return undefined;
  const end = source.indexOf('"]', at + 2);
  const text = end === -1 ? "" : source.slice(at + 2, end);
  // Escapes in a package's name are not worth reading; OPA's formatter writes none.
  return text === "" || /[\\"\n]/.test(text) ? undefined : { text, end: end + 2 };
}

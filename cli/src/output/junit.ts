/** Tests about one subject. */
export interface JunitSuite {
  readonly name: string;
  readonly file: string;
  readonly cases: readonly {
    readonly name: string;
    readonly seconds: number;
    readonly problem?: { readonly kind: "failure" | "error" | "skipped"; readonly message: string };
  }[];
}

/** JUnit XML as CI systems read it (https://github.com/testmoapp/junitxml describes what they share). */
export function junit(suites: readonly JunitSuite[]): string {
  const all = suites.flatMap(({ cases }) => cases);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${counts(all)}>`,
    ...suites.flatMap(({ name, file, cases }) => [
      `  <testsuite name="${escaped(name)}" file="${escaped(file)}"${counts(cases)}>`,
      ...cases.flatMap((each) => caseLines(name, file, each)),
      "  </testsuite>",
    ]),
    "</testsuites>",
  ];
  return `${lines.join("\n")}\n`;
}

type Case = JunitSuite["cases"][number];

function counts(cases: readonly Case[]): string {
  const count = (kind: "failure" | "error" | "skipped") =>
    cases.filter(({ problem }) => problem?.kind === kind).length;
  const skipped = count("skipped") === 0 ? "" : ` skipped="${count("skipped")}"`;
  const seconds = cases.reduce((sum, each) => sum + each.seconds, 0);
  return ` tests="${cases.length}" failures="${count("failure")}" errors="${count("error")}"${skipped} time="${seconds.toFixed(6)}"`;
}

function caseLines(suite: string, file: string, { name, seconds, problem }: Case): string[] {
  const open = `    <testcase name="${escaped(name)}" classname="${escaped(suite)}" file="${escaped(file)}" time="${seconds.toFixed(6)}"`;
  if (problem === undefined) return [`${open}/>`];
  const { kind, message } = problem;
  return [
    `${open}>`,
    `      <${kind} message="${escaped(message)}">${escaped(message)}</${kind}>`,
    "    </testcase>",
  ];
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Characters that XML 1.0 has no way to write (section 2.2) become a question mark. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "?")
    .replace(/[&<>"']/g, (character) => entities[character] ?? character)
    .replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

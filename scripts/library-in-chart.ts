// charts/shieldx-policies/files/library: Helm reads only files inside the chart, so it gets a copy of the library, with marks
// where the template puts a bundle's terms. Parsed and written anew by Helm, large numbers of the cases would become fractions.
import { readFileSync } from "node:fs";
import { readLibrary } from "../e2e/suites/library/library.ts";

const folder = "charts/shieldx-policies/files/library";

/** Lines that every policy of the library has once, and what stands there in the chart. */
const marks: readonly (readonly [RegExp, string])[] = [
  [/^ {2}name: \S+$/gm, "  #METADATA"],
  [/^ {2}actions: \{admission: warn, background: (?:audit|off|"off")\}$/gm, "  #TERMS"],
  [/^ {2}matchConstraints:$/gm, "  matchConstraints:\n    #NAMESPACES"],
];

/** Path and content. Throws where a policy lacks a line that is to be replaced. */
export function* libraryInChart(): Generator<[string, string]> {
  for (const { file, name, policy } of readLibrary()) {
    let text = readFileSync(file, "utf8");
    for (const [line, mark] of marks) {
      const { length } = text.match(line) ?? [];
      if (length !== 1) throw new Error(`${file}: has ${length} lines like ${line.source}, must have one`);
      text = text.replace(line, mark);
    }
    const isAudited = policy.spec.actions.background !== "off";
    yield [`${folder}/${name}.yaml`, `${isAudited ? "" : "#UNAUDITED\n"}${text}`];
  }
}

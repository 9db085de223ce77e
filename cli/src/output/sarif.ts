/** One finding of an offline check. */
export interface SarifFinding {
  readonly ruleId: string;
  readonly level: "error" | "warning" | "note";
  readonly message: string;
  readonly file: string;
  readonly line: number;
}

/** What is shown of a rule beside its findings. */
export interface SarifRule {
  readonly text: string;
  readonly help: string;
}

/** SARIF 2.1.0 (OASIS), as code hosts read it. A rule that is not described is the name of a policy. */
export function sarif(
  version: string,
  findings: readonly SarifFinding[],
  described: ReadonlyMap<string, SarifRule> = new Map(),
): string {
  const rules = [...new Set(findings.map((f) => f.ruleId))].sort();
  return `${JSON.stringify(
    {
      $schema: "https://json.schemastore.org/sarif-2.1.0.json",
      version: "2.1.0",
      runs: [
        {
          tool: {
            driver: {
              name: "shieldctl",
              version,
              informationUri: "https://shieldx.io",
              rules: rules.map((id) => ruleOf(id, described.get(id))),
            },
          },
          results: findings.map((f) => ({
            ruleId: f.ruleId,
            ruleIndex: rules.indexOf(f.ruleId),
            level: f.level,
            message: { text: f.message },
            locations: [
              { physicalLocation: { artifactLocation: { uri: f.file }, region: { startLine: f.line } } },
            ],
          })),
        },
      ],
    },
    null,
    2,
  )}\n`;
}

function ruleOf(id: string, rule: SarifRule | undefined) {
  if (rule === undefined) return { id, shortDescription: { text: `ShieldPolicy ${id}` } };
  return { id, shortDescription: { text: rule.text }, help: { text: rule.help } };
}

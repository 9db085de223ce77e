/** One finding of an offline check. */
export interface SarifFinding {
  readonly ruleId: string;
  readonly level: "error" | "warning" | "note";
  readonly message: string;
  readonly file: string;
  readonly line: number;
}

/** SARIF 2.1.0 (OASIS), as code hosts read it. */
export function sarif(version: string, findings: readonly SarifFinding[]): string {
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
              rules: rules.map((id) => ({ id, shortDescription: { text: `ShieldPolicy ${id}` } })),
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

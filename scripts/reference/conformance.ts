// docs/reference/conformance.md: how many tests of other products pass, from what the conformance tests wrote down.
import { readFileSync } from "node:fs";

interface Folder {
  readonly cases: number;
  readonly passed: number;
  readonly others: Readonly<Record<string, number>>;
}
type Results = Readonly<Record<string, Readonly<Record<string, Folder>>>>;

const recorded = "packages/policy-engine/src/foreign-tests/conformance/results.json";

const sources = [
  {
    key: "gatekeeper",
    title: "Gatekeeper 3.18.2: test/gator",
    what: "Suites of `gator verify`, and what the scripts (`test.bats`) say that `gator test` answers. What the scripts say of gator's flags, of standard input and of OCI images is not about policies and is not counted.",
  },
  {
    key: "gatekeeper-library",
    title: "gatekeeper-library: library",
    what: "All suites at 5c441fb6 (2026-07-20).",
  },
  {
    key: "kyverno",
    title: "Kyverno 1.19.1: test/cli",
    what: "Each result about a policy in CEL, whatever kind it is of: ValidatingPolicy, MutatingPolicy, ImageValidatingPolicy, GeneratingPolicy, DeletingPolicy, those of one namespace, ValidatingAdmissionPolicy and MutatingAdmissionPolicy.",
  },
  {
    key: "kyverno-policies",
    title: "kyverno/policies",
    what: "The same of all folders at b9c4317c (2026-03-06).",
  },
  {
    key: "trivy-checks",
    title: "trivy-checks 1.10.0: Kubernetes",
    what: "Every `test_` rule of `checks/kubernetes` and `lib/kubernetes`, compiled as one program with the libraries these use.",
  },
] as const;

/** Every reason there is must be explained here: a page with one that is not is not made. */
const explanations: readonly (readonly [reason: RegExp, explanation: string])[] = [
  [
    /^functions of Kyverno: (http|globalContext|resource)$/,
    "CEL that asks a host, Kyverno's global context or other objects. An API server's CEL asks nobody: write the rule in Rego, with `spec.rego.allowedHosts` or `spec.rego.inventory`, or take the object as `spec.paramKind`.",
  ],
  [
    /^functions of Kyverno: /,
    "CEL functions that only Kyverno has. `shieldctl policy import` says for each what to write instead.",
  ],
  [
    /^(GeneratingPolicy|DeletingPolicy)$/,
    "Policies that make or delete objects; a ShieldPolicy judges and changes the object of a request.",
  ],
  [/^ImageValidatingPolicy$/, "Verification of image signatures by Kyverno's own kind."],
  [
    /^(JSON payloads|HTTP and Envoy requests)$/,
    "Payloads that are no objects of a cluster. Rules over HTTP are asked in OPA's way (see the guide on HTTP decisions).",
  ],
  [/^mutateExisting$/, "Changes of other objects than that of the request."],
  [
    /^PolicyException$/,
    "Kyverno's exceptions are expressions; a ShieldException names objects, has an owner and ends.",
  ],
  [
    /^parameters as a list$/,
    "Kyverno's CLI gives a MutatingAdmissionPolicy all parameter objects at once as `params.items`; an API server asks it once for each.",
  ],
  [
    /^no ShieldPolicy can have that: required/,
    "A resource rule without `operations`, which an API server refuses as well.",
  ],
  [
    /^variables in matchConditions$/,
    "An API server evaluates matchConditions before variables, so that they see none; Kyverno lets them.",
  ],
  [
    /^no ShieldPolicy can have that: must be letters, digits/,
    "A matchCondition whose name an API server refuses: it must be as a label's key is, such as `needs-labels`.",
  ],
  [
    /^lists set by ApplyConfiguration$/,
    "How a list is merged is in the schema of its kind, which only a cluster has. There the mutation works; a test offline comes to no verdict.",
  ],
  [
    /^mutations that do not come to rest$/,
    "Applied a second time the mutation changes the object again, which an API server may do at any time; ShieldX refuses that.",
  ],
  [/^mutations of what none may change$/, "The mutation changes what names the object."],
  [
    /^namespaces never judged$/,
    "`kube-system` and `kube-node-lease` are never judged, so that a cluster can always be brought back.",
  ],
  [/^questions to a cluster$/, "The policy asks the authorizer, which only a cluster has."],
  [
    /^orValue of what is no optional$/,
    "`x.orValue(y)` where `x` is no optional: cel-go answered `x` up to 0.26 and calls it an error by 0.29, which API servers of 1.37 have and which counts here.",
  ],
  [
    /^text that is indented too little$/,
    "A text in quotes over several lines, indented no deeper than its key, which YAML 1.2 forbids and Go's reader takes.",
  ],
  [
    /^ExpansionTemplate$/,
    "Gatekeeper makes objects up by its ExpansionTemplates; ShieldX judges what there is. Policies about Pods are about the templates in workloads by themselves (`podSecurity`) or name them.",
  ],
  [
    /^details of violations$/,
    "The test looks for a text in the details of a violation; a ShieldPolicy has messages.",
  ],
  [
    /^names nothing that a ShieldPolicy in Rego can be about/,
    "The constraint is about groups that ShieldX is brought back with (roles, webhook configurations, definitions), which only the API server judges: write the rule in CEL.",
  ],
  [
    /^left out by the test itself$/,
    "The test says that it is to be skipped, or names a patched object that its file has not, which Kyverno passes over.",
  ],
];

const intro = `Tests that other products wrote for themselves, run as they are: the files are read from the published Go modules, or from a checkout, at
the moment the test runs. Policies of Gatekeeper and Kyverno are held as the ShieldPolicies that \`shieldctl policy import\` makes of them, so a pass says
that the ShieldPolicy decides as the original does. A case that comes to no verdict has not passed. A result \`pass\` about an object that the
policy does not match counts as Kyverno counts it: as passed.

\`\`\`sh
npx vitest run --project integration packages/policy-engine/src/foreign-tests/conformance
GATEKEEPER_LIBRARY=… KYVERNO_POLICIES=… npx vitest run --project long packages/policy-engine/src/foreign-tests/conformance
\`\`\`

Both compare what they count with what is written here; with \`WRITE_CONFORMANCE=1\` they write it down anew.
`;

export function conformancePage(): string {
  const results = JSON.parse(readFileSync(recorded, "utf8")) as Results;
  const unknown = Object.keys(results).find((key) => !sources.some((source) => source.key === key));
  if (unknown !== undefined)
    throw new Error(`${recorded}: ${unknown} is on no page: add it to ${import.meta.filename}`);
  const parts = [
    "<!-- Generated by `make generate` from what the conformance tests wrote down; do not edit. -->\n",
    "# Conformance\n",
    intro,
    overview(results),
    ...sources.map(({ key, title, what }) => section(title, what, results[key] ?? {})),
  ];
  return parts.join("\n");
}

function overview(results: Results): string {
  const rows = sources.map(({ key, title }) => {
    const { passed, cases } = totalOf(results[key] ?? {});
    return `| ${title} | ${passed} | ${cases} |`;
  });
  return table(["Tests", "Pass", "Of"], rows);
}

function section(title: string, what: string, folders: Results[string]): string {
  const rows = Object.entries(folders).map(([name, { passed, cases, others }]) => {
    const why = Object.entries(others).map(([reason, count]) => `${count} ${reason}`);
    return `| \`${name}\` | ${passed} | ${cases} | ${why.join("; ")} |`;
  });
  return [
    `## ${title}\n`,
    `${what}\n`,
    table(["Folder", "Pass", "Of", "What the others need"], rows),
    reasonsOf(folders),
  ].join("\n");
}

function reasonsOf(folders: Results[string]): string {
  const counts = new Map<string, number>();
  for (const { others } of Object.values(folders))
    for (const [reason, count] of Object.entries(others))
      counts.set(reason, (counts.get(reason) ?? 0) + count);
  const lines = [...counts]
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([reason, count]) => `- **${reason}** (${count}): ${explanationOf(reason)}`);
  return lines.length === 0 ? "Nothing is left.\n" : `${lines.join("\n")}\n`;
}

function explanationOf(reason: string): string {
  const found = explanations.find(([pattern]) => pattern.test(reason));
  if (found === undefined)
    throw new Error(`${recorded}: "${reason}" is not explained: say why in ${import.meta.filename}`);
  return found[1];
}

function totalOf(folders: Results[string]): Pick<Folder, "passed" | "cases"> {
  const all = Object.values(folders);
  const sum = (of: (folder: Folder) => number) => all.reduce((total, folder) => total + of(folder), 0);
  return { passed: sum(({ passed }) => passed), cases: sum(({ cases }) => cases) };
}

function table(head: readonly string[], rows: readonly string[]): string {
  return `| ${head.join(" | ")} |\n|${head.map(() => "---|").join("")}\n${rows.join("\n")}\n`;
}

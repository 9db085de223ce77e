import { DEFAULT_NAMESPACE } from "@shieldx/crds";
import { Command, CommanderError, Option } from "commander";
import { completionScript } from "./completion.ts";
import { runDebugBundle } from "./debug/command.ts";
import { UsageError } from "./errors.ts";
import { runExceptions } from "./exceptions/command.ts";
import { runPolicyGaps } from "./gaps/command.ts";
import { paint, type Terminal } from "./output/terminal.ts";
import { runPolicyCheck } from "./policy/command.ts";
import { METHOD, runPolicyBench } from "./policy-bench/command.ts";
import { runPolicyExplain } from "./policy-explain/command.ts";
import { runPolicyImport } from "./policy-import/command.ts";
import { runPolicyLint } from "./policy-lint/command.ts";
import { runPolicyMutate } from "./policy-mutate/command.ts";
import { runPolicyReplay } from "./policy-replay/command.ts";
import { runPolicyTest } from "./policy-test/command.ts";
import { printable } from "./printable.ts";
import { runPolicyDiff, runRolloutRequest, runRolloutStatus } from "./rollout/command.ts";
import { runStatus } from "./status/command.ts";
import { runVersion } from "./version.ts";

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

function clusterOptions(command: Command): Command {
  return command
    .option("--kubeconfig <path>", "kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig (default: its current one)");
}

function connectionOptions(command: Command): Command {
  return clusterOptions(command).option(
    "-n, --namespace <name>",
    "where ShieldX is installed",
    DEFAULT_NAMESPACE,
  );
}

function regoCompiler(): Option {
  return new Option(
    "--rego-compiler <file>",
    "compiles policies in Rego (default: $SHIELDX_REGO_COMPILER, then rego-compiler.wasm beside shieldctl)",
  );
}

/** The command tree; `done` receives each command's exit code. */
function buildProgram(terminal: Terminal, done: (code: number) => void): Command {
  const program = new Command("shieldctl")
    .description("Look at ShieldX in a cluster, and check manifests against policies before they get there.")
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showHelpAfterError("(see --help)")
    .addHelpText(
      "after",
      `
Examples:
  shieldctl status
  shieldctl policy check -f deploy/ --policies policies/
  shieldctl policy test policies/
  shieldctl policy explain --cluster -f pod.yaml
  helm template ./chart | shieldctl policy check -f - --policies policies/ -o sarif
  shieldctl policy diff no-host-network
  shieldctl policy rollout promote no-host-network
  shieldctl exceptions --expiring 14d
  shieldctl debug bundle --since 6h

Exit codes: 0 fine; 1 a policy refuses, a test fails, ShieldX needs attention or the cluster cannot be reached; 2 wrong usage or input.`,
    );

  connectionOptions(program.command("status"))
    .description(
      "Is ShieldX installed and healthy; who leads; how long certificates last; what policies found.",
    )
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"),
    )
    .action(async (options) => done(await runStatus(options, terminal)));

  clusterOptions(program.command("exceptions"))
    .description(
      "List ShieldExceptions, those first that end soonest: who answers, when they end, who needs them.",
    )
    .option("-n, --namespace <name>", "only of this namespace (default: of all)")
    .option("--expiring <duration>", "only those that end within this time, e.g. 14d")
    .option("--unused", "only those that nothing needs")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"),
    )
    .action(async (options) => done(await runExceptions(options, terminal)));

  const policy = program.command("policy").description("Work with policies.");
  policy
    .command("check")
    .description("Judge manifests offline, as the webhook would. Needs no cluster.")
    .requiredOption(
      "-f, --file <path>",
      "manifest file, folder, or - for standard input; repeat for more",
      collect,
      [],
    )
    .requiredOption(
      "--policies <path>",
      "ShieldPolicies (and ShieldExceptions): file or folder; repeat for more",
      collect,
      [],
    )
    .option(
      "-n, --namespace <name>",
      "where objects go that name no namespace, as with kubectl apply -n",
      "default",
    )
    .addOption(regoCompiler())
    .option("--kubernetes-version <1.N>", "what a policy's version `latest` means", "1.37")
    .addOption(
      new Option("--fail-on <action>", "exit 1 from this severity on")
        .choices(["deny", "warn", "none"])
        .default("deny"),
    )
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["table", "json", "sarif"])
        .default("table"),
    )
    .action(async (options) => done(await runPolicyCheck(options, terminal)));

  policy
    .command("test")
    .description(
      "Run the tests of policies: those in spec.tests, and PolicyTest files. Needs no cluster; what passes here goes into force there. Tests of others run as they are: suites of Gatekeeper and tests of Kyverno's CEL policies, held against what `policy import` makes of these policies, and test_ rules in Rego.",
    )
    .argument(
      "<files...>",
      "ShieldPolicies and PolicyTests, test.gatekeeper.sh Suites, cli.kyverno.io Tests, modules in Rego: files, folders, or - for standard input",
    )
    .option("--policy <name>", "only this policy (constraint, package of Rego); repeat for more", collect, [])
    .addOption(regoCompiler())
    .option("--kubernetes-version <1.N>", "what a policy's version `latest` means", "1.37")
    .option("--require-tests", "exit 1 also when a policy has no tests")
    .option("--coverage", "show which lines of modules in Rego their tests reach")
    .option("--min-coverage <percent>", "exit 1 also when tests in Rego reach fewer lines")
    .option("-v, --verbose", "show the cases that pass, too")
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["table", "json", "junit", "sarif"])
        .default("table"),
    )
    .action(async (files, options) => done(await runPolicyTest(files, options, terminal)));

  connectionOptions(policy.command("explain"))
    .description(
      "Why a request is refused or let pass: by which rule of which policy, and what each part of its expressions comes to; why a policy does not match; which exceptions count, and why others do not.",
    )
    .requiredOption(
      "-f, --file <path>",
      "objects, or recorded AdmissionReviews: file, folder, or - for standard input; repeat for more",
      collect,
      [],
    )
    .option(
      "--policies <path>",
      "ShieldPolicies, and what they look at (ShieldExceptions, Namespaces, parameters): file or folder; repeat for more",
      collect,
      [],
    )
    .option("--cluster", "take policies, and what they look at, from the cluster")
    .option("--policy <name>", "only this policy; repeat for more", collect, [])
    .addOption(
      new Option("--operation <name>", "what is done with the objects")
        .choices(["CREATE", "UPDATE", "DELETE"])
        .default("CREATE"),
    )
    .option("--old <path>", "objects as they were before an UPDATE; repeat for more", collect, [])
    .option("--as <user>", "who asks")
    .option("--as-group <group>", "a group of who asks; repeat for more", collect, [])
    .addOption(regoCompiler())
    .option("--kubernetes-version <1.N>", "what a policy's version `latest` means, without a cluster", "1.37")
    .option("-v, --verbose", "show parts of what is kept, and policies that are not about it, too")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"),
    )
    .action(async (options) => done(await runPolicyExplain(options, terminal)));

  policy
    .command("mutate")
    .description(
      "How good the tests of policies are: makes small mistakes in copies of them, one at a time, and shows those that no case notices. Engine cel.",
    )
    .argument("<files...>", "ShieldPolicies and PolicyTests: files, folders, or - for standard input")
    .option("--policy <name>", "only this policy; repeat for more", collect, [])
    .option("--min-score <percent>", "exit 1 where the cases of a policy notice less", "0")
    .option("--kubernetes-version <1.N>", "what a policy's version `latest` means", "1.37")
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["table", "json", "junit", "sarif"])
        .default("table"),
    )
    .action(async (files, options) => done(await runPolicyMutate(files, options, terminal)));

  policy
    .command("import")
    .description(
      "Make ShieldPolicies of ValidatingAdmissionPolicies and MutatingAdmissionPolicies with their bindings, Kyverno's ValidatingPolicies, MutatingPolicies and ImageValidatingPolicies, Gatekeeper's templates with their constraints, and OPA bundles (.tar.gz). What does not carry over is named, field by field, on standard error.",
    )
    .argument("<files...>", "policies of others: files, folders, bundles, or - for standard input")
    .option("--output <folder>", "write a file for each policy there (default: all to standard output)")
    .addOption(
      new Option("--report <format>", "how to tell what was carried over")
        .choices(["table", "json", "sarif"])
        .default("table"),
    )
    .addOption(
      new Option(
        "--fail-on <what>",
        "exit 1 when a policy was made without a part of it (lost), or not at all (error)",
      )
        .choices(["lost", "error", "none"])
        .default("error"),
    )
    .option(
      "--bundle-url <url>",
      "where ShieldX fetches the bundle from (default: its modules go into the policy)",
    )
    .option(
      "--entrypoint <rule>",
      "rule of the bundle that holds what is wrong, e.g. data.kubernetes.admission.deny",
    )
    .addOption(
      new Option(
        "--rego-version <version>",
        "version of the bundle's Rego where its manifest names none (default: v1)",
      ).choices(["v0", "v1"]),
    )
    .addOption(regoCompiler())
    .action(async (files, options) => done(await runPolicyImport(files, options, terminal)));

  policy
    .command("lint")
    .description(
      "Find what is likely wrong with policies although they compile: rules that catch nothing or everything, no test that is refused, names nobody uses, images matched by half a pattern. Needs no cluster.",
    )
    .argument("<files...>", "ShieldPolicies: files, folders, or - for standard input")
    .option("--disable <rule>", "leave this rule out; repeat for more", collect, [])
    .option("--policy <name>", "only this policy; repeat for more", collect, [])
    .addOption(
      new Option("--fail-on <severity>", "exit 1 from this severity on")
        .choices(["error", "warning", "note", "none"])
        .default("warning"),
    )
    .addOption(regoCompiler())
    .option("--kubernetes-version <1.N>", "the cluster the policies are for", "1.37")
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["table", "json", "junit", "sarif"])
        .default("table"),
    )
    .action(async (files, options) => done(await runPolicyLint(files, options, terminal)));

  connectionOptions(policy.command("replay"))
    .description(
      "Judge recorded requests by two sets of policies, and tell what the new one decides otherwise: refused where it passed, let pass where it was refused, another message.",
    )
    .argument(
      "<records...>",
      "AdmissionReviews, a JSON object a line, or the API server's audit log: files, or - for standard input",
    )
    .option("--old <path>", "the policies so far: file or folder; repeat for more", collect, [])
    .option("--cluster", "the policies so far are those of the cluster")
    .requiredOption("--new <path>", "the policies to be: file or folder; repeat for more", collect, [])
    .option(
      "--known <path>",
      "Namespaces, parameters and objects that policies look at; repeat for more",
      collect,
      [],
    )
    .addOption(
      new Option(
        "--fail-on <change>",
        "exit 1 when a request is refused that passed (denied), or any changes (any)",
      )
        .choices(["any", "denied", "none"])
        .default("any"),
    )
    .addOption(regoCompiler())
    .option("--kubernetes-version <1.N>", "what a policy's version `latest` means, without a cluster", "1.37")
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["table", "json", "junit"])
        .default("table"),
    )
    .action(async (records, options) => done(await runPolicyReplay(records, options, terminal)));
  clusterOptions(policy.command("gaps"))
    .description(
      "When policies were not enforced, and what was written meanwhile that they deny: who, when, and whether it breaks them still.",
    )
    .argument("[name]", "a ShieldPolicy (default: all)")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"),
    )
    .action(async (name, options) => done(await runPolicyGaps(name, options, terminal)));
  addBench(policy, terminal, done);
  addRollout(policy, terminal, done);

  connectionOptions(program.command("debug").description("Find out what is wrong.").command("bundle"))
    .description(
      "Collect what somebody needs to help: policies, webhooks, native policies, Pods, Events, Leases, logs and rights of ShieldX, into a .tar.gz with an index. Keys, tokens and values of environment variables are redacted, contents of Secrets are not read. What may not be read is listed in the index.",
    )
    .option("-o, --output <file>", "where to write it (default: shieldx-debug-TIME.tar.gz)")
    .option("--since <duration>", "logs and Events of the last 30m, 6h or 2d", "24h")
    .action(async (options) => done(await runDebugBundle(options, terminal)));

  connectionOptions(program.command("version"))
    .description("Print the versions of shieldctl and of the cluster's ShieldX and Kubernetes.")
    .option("--client", "only shieldctl's own version")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"),
    )
    .action(async (options) => done(await runVersion(options, terminal)));

  program
    .command("completion")
    .description("Print a completion script.")
    .argument("<shell>", "bash, zsh or fish")
    .action((shell: string) => {
      terminal.out(completionScript(shell, program));
      done(0);
    });
  return program;
}

function addBench(policy: Command, terminal: Terminal, done: (code: number) => void): void {
  policy
    .command("bench")
    .description(
      "What policies cost on given requests: time on this machine, and what expressions and queries spend, which is the same on any. Needs no cluster.",
    )
    .requiredOption(
      "-f, --file <path>",
      "objects, recorded AdmissionReviews or the API server's audit log: file, folder, or - for standard input; repeat for more",
      collect,
      [],
    )
    .requiredOption(
      "--policies <path>",
      "ShieldPolicies, and what they look at: file or folder; repeat for more",
      collect,
      [],
    )
    .option("--policy <name>", "only this policy; repeat for more", collect, [])
    .option("--rounds <number>", "how often each request is judged while time is taken", "200")
    .option("--seconds <number>", "after which a policy is judged no more, however many rounds are left", "5")
    .option(
      "--max-cost <units>",
      "exit 1 where one request costs a policy more: units of CEL, or of work in Rego",
    )
    .addOption(regoCompiler())
    .option("--kubernetes-version <1.N>", "what a policy's version `latest` means", "1.37")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"),
    )
    .addHelpText("after", `\n${METHOD}`)
    .action(async (options) => done(await runPolicyBench(options, terminal)));
}

const rolloutVerbs = {
  pause: "Stay in the present step. A rollback still takes place.",
  resume: "Go on after a pause.",
  promote:
    "Take the next step now, be it after a rollback; the step it is in now is named, so that it is taken once.",
  abort:
    "Take the new version back: the version before is in force everywhere, until somebody promotes or changes the policy.",
} as const;

function addRollout(policy: Command, terminal: Terminal, done: (code: number) => void): void {
  const output = () =>
    new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table");
  clusterOptions(policy.command("diff"))
    .description(
      "What the newest version of a policy refuses, or would, since it goes in by stages: objects, and counts by namespace.",
    )
    .argument("<name>", "a ShieldPolicy with spec.rollout")
    .addOption(output())
    .action(async (name, options) => done(await runPolicyDiff(name, options, terminal)));
  const rollout = policy
    .command("rollout")
    .description("Follow the rollout of a policy, and decide about it.");
  clusterOptions(rollout.command("status"))
    .description("The step a rollout is in, what it counts and what it waits for. Exits 1 after a rollback.")
    .argument("<name>", "a ShieldPolicy with spec.rollout")
    .addOption(output())
    .action(async (name, options) => done(await runRolloutStatus(name, options, terminal)));
  for (const verb of ["pause", "resume", "promote", "abort"] as const) {
    clusterOptions(rollout.command(verb))
      .description(rolloutVerbs[verb])
      .argument("<name>", "a ShieldPolicy with spec.rollout")
      .option("--timeout <duration>", "how long to wait for the operator's answer", "30s")
      .action(async (name, options) => done(await runRolloutRequest(verb, name, options, terminal)));
  }
}

/** The command tree by itself, for the reference page; its commands do nothing. */
export function shieldctlProgram(): Command {
  const nowhere = { out: () => undefined, err: () => undefined, color: false, interactive: false };
  return buildProgram(nowhere, () => undefined);
}

/** Runs shieldctl; returns the exit code. Never throws for what a person can mend. */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  let code = 0;
  const program = buildProgram(terminal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    // --help and --version end through an exception too, with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const message = error instanceof Error ? error.message : String(error);
    const lines = message.split("\n").map(printable);
    terminal.err(`${paint(terminal, "red", "error:")} ${lines.join("\n")}\n`);
    return error instanceof UsageError ? error.exitCode : 1;
  }
}

import { describe, expect, it } from "vitest";
import { compileCelRules } from "./compile.ts";

/** As a real API server says it of the same policy (Kubernetes 1.37). */
describe("a variable that holds an optional", () => {
  const variables = [
    { name: "metadata", expression: "object.metadata" },
    { name: "labels", expression: "object.metadata.?labels" },
  ];
  const object = { metadata: { labels: { team: "a" } } };
  const request = {
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    operation: "CREATE",
  };
  const said = (expression: string) =>
    compileCelRules({ variables, validations: [{ expression, message: "broken" }] })
      .evaluate({ request, object })
      .failures.map(({ message }) => message);

  it.each<[string, string[]]>([
    ["variables.labels.?team.orValue('none') == 'none'", []],
    ["variables.labels[?'team'].orValue('none') == 'none'", []],
    ["variables.labels.?team.?x.hasValue()", ["broken"]],
    ["variables.labels.hasValue()", []],
    ["variables.labels.orValue({}).team == 'a'", []],
    ["variables.metadata.?labels.?team.orValue('none') == 'a'", []],
    ["variables.metadata.labels.?team.orValue('none') == 'a'", []],
    ["object.metadata.?labels.team.orValue('none') == 'a'", []],
    ["optional.of(object).metadata['labels'].team.orValue('none') == 'a'", []],
    ["optional.of(object).metadata['labels'].team.x.hasValue()", ["broken"]],
    ["has(variables.labels.team)", ["broken"]],
  ])("is not looked into by a field after it: %s", (expression, expected) => {
    expect(said(expression)).toEqual(expected);
  });
});

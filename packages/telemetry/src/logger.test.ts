import { expect, it } from "vitest";
import { problemsOfLogLine } from "./log-schema.ts";
import { createLogger } from "./logger.ts";

function recording(more: Partial<Parameters<typeof createLogger>[0]> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, logger: createLogger({ component: "test", level: "info", destination, ...more }) };
}

it("writes lines of the schema", () => {
  const { lines, logger } = recording({ trace: () => ({ traceId: "a", spanId: "b" }) });
  logger.debug({}, "not shown");
  const cause = Object.assign(new TypeError("inner"), { code: 7 });
  logger.error(
    {
      controller: "c",
      namespace: "n",
      name: "o",
      err: Object.assign(new Error("outer", { cause }), { code: "E" }),
    },
    "shown",
  );
  logger.warn({ err: "no error" }, "also shown");
  expect(lines).toHaveLength(2);
  expect(lines.map((line) => problemsOfLogLine(line))).toEqual([[], []]);
  expect(JSON.parse(lines[0]!)).toEqual({
    level: "error",
    time: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
    component: "test",
    msg: "shown",
    controller: "c",
    namespace: "n",
    name: "o",
    traceId: "a",
    spanId: "b",
    err: {
      type: "Error",
      message: "outer",
      code: "E",
      stack: expect.any(String),
      cause: { type: "TypeError", message: "inner", code: "7", stack: expect.any(String) },
    },
  });
});

it("leaves out what errors and fields carry of keys and tokens", () => {
  const { lines, logger } = recording();
  const material = {
    privateKeyPem: "hidden-1",
    key: "hidden-2",
    token: "hidden-3",
    authorization: "hidden-4",
  };
  logger.error({ err: Object.assign(new Error("failed"), material), request: material }, "shown");
  logger.error({ err: new Error("GET https://u:hidden-5@host: Bearer hidden-66") }, "password=hidden-7");
  const written = lines.join("");
  expect(written).toContain('"msg":"shown"');
  expect(written).not.toContain("hidden");
});

it.each([
  ["not JSON", "is not JSON"],
  ["[]", "is not an object"],
  ['{"level":"info","time":"2026-01-01T00:00:00.000Z","component":"x"}', "msg: is missing"],
  ['{"level":30,"time":"now","component":"x","msg":""}', "level: is not level"],
  ['{"level":"info","level":"info"}', "level: more than once"],
  ['{"surprise":1}', "surprise: is not in the schema"],
  ['{"err":{"type":"E","message":"m","token":"x"}}', "err: is not error"],
])("says what is wrong with %s", (line, problem) => {
  expect(problemsOfLogLine(line).join("; ")).toContain(problem);
});

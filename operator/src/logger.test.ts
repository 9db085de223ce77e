import { expect, it } from "vitest";
import { createLogger } from "./logger.ts";

it("leaves out what errors carry of keys and tokens", () => {
  let written = "";
  const logger = createLogger("test", "info", {
    write: (line) => {
      written += line;
    },
  });
  const material = {
    privateKeyPem: "hidden-1",
    key: "hidden-2",
    token: "hidden-3",
    authorization: "hidden-4",
  };
  logger.error({ err: Object.assign(new Error("failed"), material), request: material }, "shown");
  expect(written).toContain('"msg":"shown"');
  expect(written).not.toContain("hidden");
});

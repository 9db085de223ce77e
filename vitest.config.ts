import { defineConfig } from "vitest/config";

const sources = "{packages,crds,operator,webhooks,cli,images,scripts,bench}/**";

export default defineConfig({
  test: {
    setupFiles: ["./scripts/spawned-coverage.ts"],
    coverage: {
      provider: "v8",
      // A failed file gets a second attempt (scripts/second-attempt.ts); what the first one covered counts.
      reportOnFailure: true,
      reporter: ["json", "text-summary"],
      include: ["packages/*/src/**/*.ts", "{crds,operator,webhooks,cli}/src/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.test-kit.ts", "**/testing/**", "**/generated/**"],
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          // Generous: the machine may be busy with clusters beside us.
          testTimeout: 60_000,
          include: [`${sources}/*.test.ts`, "e2e/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/*.{integration,node,long}.test.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["**/*.integration.test.ts"],
          exclude: ["**/node_modules/**"],
          // Two at a time, whatever the machine has: each has a control plane of its own, and much of it is waiting.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: "node",
          include: ["e2e/**/*.node.test.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: "long",
          include: ["**/*.long.test.ts"],
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});

import { defineConfig } from "vitest/config"

// .ci/run reads the results from a file, to say what was run and that nothing was skipped.
const results = process.env.VITEST_RESULTS

/** The tests against the servers themselves: `npm run test:services`. */
export default defineConfig({
  test: {
    include: ["tests/services/**/*.test.ts"],
    globalSetup: "tests/services/setup.ts",
    pool: "forks",
    // All files share the servers, and the machine.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    ...(results === undefined ? {} : { reporters: ["default", "json"], outputFile: { json: results } }),
  },
})

import { configDefaults, defineConfig } from "vitest/config"

// .ci/run reads the results from a file, to say what was run and that nothing was skipped.
const results = process.env.VITEST_RESULTS

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // They need servers: npm run test:services.
    exclude: [...configDefaults.exclude, "tests/services/**"],
    // Worker threads and real sockets: processes keep the test files apart.
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    ...(results === undefined ? {} : { reporters: ["default", "json"], outputFile: { json: results } }),
  },
})

import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["node_modules/**", "dist/**"],
    // Worker threads and real sockets: processes keep the test files apart.
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})

import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(`./packages/${path}`, import.meta.url))

// Tests run on the sources, as `paths` in tsconfig.base.json has it for tsc and tsx: nothing is built before a test.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@route-llm\/(\w+)$/, replacement: source("$1/src/index.ts") },
      { find: /^@route-llm\/(\w+)\/(\w+)$/, replacement: source("$1/src/$2/index.ts") },
      { find: /^route-llm$/, replacement: source("route-llm/src/index.ts") }
    ]
  },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/test/**/*.test.ts", "test/**/*.test.ts"],
    // Machines that run tests are busy: what hangs is found all the same, and nothing fails for being slow.
    testTimeout: 30_000,
    // No state of their own to keep apart, and half the time: a file of tests takes the modules that the last one loaded.
    pool: "threads",
    // Both cores: by itself it leaves one free.
    poolOptions: { threads: { minThreads: 2, maxThreads: 2 } },
    isolate: false
  }
})

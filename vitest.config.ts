import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(`./packages/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@route-llm\/(core|providers|redis)$/, replacement: source("$1/src/index.ts") },
      { find: /^@route-llm\/(core|providers|redis)\/(.+)$/, replacement: source("$1/src/$2/index.ts") },
      { find: /^route-llm$/, replacement: source("route-llm/src/index.ts") }
    ]
  },
  test: { include: ["packages/*/test/**/*.test.ts", "examples/test/**/*.test.ts"], pool: "threads" }
})

import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const root = new URL("../../../", import.meta.url)

it("ARCHITECTURE.md names only files that there are", () => {
  const text = readFileSync(new URL("ARCHITECTURE.md", root), "utf8")
  const named = [...text.matchAll(/`(packages\/[\w./-]+\.ts)`/g)].map(([, path]) => path!)
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((path) => !existsSync(fileURLToPath(new URL(path, root))))).toEqual([])
})

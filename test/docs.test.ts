import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { codeBlocks } from "./docs/codeBlocks.ts"
import { programsIn } from "./docs/programs.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

const markdownIn = (directory: string): ReadonlyArray<string> =>
  existsSync(root + directory)
    ? readdirSync(root + directory, { recursive: true, encoding: "utf8" }).map((name) => `${directory}/${name}`)
    : []

const documents = [...readdirSync(root), ...markdownIn("docs")].filter((name) => name.endsWith(".md"))
const suite = programsIn("docs")
const programs = documents.flatMap((document) =>
  codeBlocks(readFileSync(root + document, "utf8")).map((block) => suite.write(document, block))
)

it("every block of TypeScript in the documents compiles", async () => {
  expect(await suite.typeErrors()).toBe("")
}, 100_000)

for (const program of programs.filter(({ runs }) => runs)) {
  it.concurrent(`${program.name} runs, and prints what it says`, async () => {
    expect(await suite.failureOf(program)).toBe("")
  }, 100_000)
}

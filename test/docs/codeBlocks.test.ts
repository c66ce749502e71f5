import { describe, expect, it } from "vitest"
import { codeBlocks, matchesOutput } from "./codeBlocks.ts"
import { programsIn } from "./programs.ts"

const sample = `# A sample

\`\`\`ts
console.log("took", 12, "ms")
\`\`\`

\`\`\`text output
took … ms
\`\`\`

- in a list:
  \`\`\`ts no-run title=call.ts
  if (true) {
    await fetch("https://example.com")
  }
  \`\`\`

Prose between.

\`\`\`text
not its output
\`\`\`

\`\`\`\`md
\`\`\`ts
quoted, not code
\`\`\`
\`\`\`\`

\`\`\`json
{}
\`\`\`
`

const broken = `
\`\`\`ts
const count: number = "three"
console.log(count)
\`\`\`

\`\`\`text
four
\`\`\`

\`\`\`ts
throw new Error("boom")
\`\`\`
`

describe("codeBlocks", () => {
  it("finds the ts blocks, their place, whether they run, and their output", () => {
    expect(codeBlocks(sample)).toEqual([
      { line: 4, code: "console.log(\"took\", 12, \"ms\")", runs: true, output: "took … ms" },
      { line: 13, code: "if (true) {\n  await fetch(\"https://example.com\")\n}", runs: false, output: undefined }
    ])
  })

  it("refuses a block that does not end", () => {
    expect(() => codeBlocks("text\n```ts\nlet a = 1\n")).toThrow("begins on line 2 does not end")
  })
})

it("compares output to the letter, but for `…`", () => {
  expect(matchesOutput("took 12 ms (a+b)\nnext\n", "took … ms (a+b)\nnext")).toBe(true)
  expect(matchesOutput("first\nmany\nmore\nlast\n", "first\n…\nlast")).toBe(true)
  expect(matchesOutput("took 12 ms, once more", "took … ms")).toBe(false)
  expect(matchesOutput("aab", "a+b")).toBe(false)
})

it("a broken block fails, on its line of the document", async () => {
  const suite = programsIn("broken")
  const programs = codeBlocks(broken).map((block) => suite.write("guide.md", block))
  expect(await suite.typeErrors()).toContain("guide.md.3.ts(3,7): error TS2322")
  const failures = await Promise.all(programs.map(suite.failureOf))
  expect(failures[0]).toContain("guide.md:3 printed:\nthree\nin place of:\nfour")
  expect(failures[1]).toMatch(/guide\.md:12 ended with 1:[^]*boom[^]*guide\.md\.12\.ts:12:/)
}, 30_000)

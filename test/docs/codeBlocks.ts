/** A block of TypeScript in a Markdown text. */
export interface CodeBlock {
  /** The line of the text on which the code begins, from 1. */
  readonly line: number
  readonly code: string
  /** Off for a block marked `ts no-run`, which is only compiled. */
  readonly runs: boolean
  /** What the code must print: the `text` block right after it. */
  readonly output: string | undefined
}

interface Fenced {
  readonly info: ReadonlyArray<string>
  readonly content: ReadonlyArray<string>
  readonly first: number
  readonly next: number
}

const fences = (lines: ReadonlyArray<string>): ReadonlyArray<Fenced> => {
  const found: Array<Fenced> = []
  for (let at = 0; at < lines.length; at++) {
    const [, indent = "", marks, info = ""] = /^( *)(`{3,}|~{3,})(.*)$/.exec(lines[at]!) ?? []
    if (marks === undefined) continue
    const end = lines.findIndex((line, index) => index > at && line.trim() === marks)
    if (end === -1) throw new Error(`The code block that begins on line ${at + 1} does not end.`)
    const content = lines.slice(at + 1, end).map((line) => line.slice(Math.min(indent.length, line.search(/\S|$/))))
    found.push({ info: info.trim().split(/\s+/), content, first: at + 1, next: end + 1 })
    at = end
  }
  return found
}

/** The `ts` blocks of a Markdown text, in their order. */
export const codeBlocks = (markdown: string): ReadonlyArray<CodeBlock> => {
  const lines = markdown.split(/\r?\n/)
  return fences(lines).flatMap(({ content, first, info, next }, index, all) => {
    if (info[0] !== "ts" && info[0] !== "typescript") return []
    const after = all[index + 1]
    const follows = after?.info[0] === "text" && lines.slice(next, after.first - 1).every((line) => line.trim() === "")
    return [{
      line: first + 1,
      code: content.join("\n"),
      runs: !info.includes("no-run"),
      output: follows ? after.content.join("\n") : undefined
    }]
  })
}

/** Whether a program printed what the text shows; in the text `…` stands for anything. */
export const matchesOutput = (printed: string, shown: string): boolean =>
  new RegExp(`^${shown.trim().split("…").map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("[^]*")}$`)
    .test(printed.trim().replaceAll("\r\n", "\n"))

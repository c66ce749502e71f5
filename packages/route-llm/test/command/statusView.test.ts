import { stripVTControlCharacters } from "node:util"
import { describe, expect, it } from "vitest"
import { statusLines } from "../../src/command/statusView.ts"
import { paintWith, printableJson } from "../../src/command/terminal/style.ts"
import { badDay, report, row } from "./reports.ts"

const plain = { bars: false, paint: paintWith(false), width: Infinity }

describe("statusLines", () => {
  it("tells of each provider what is the matter with it, and sums", () => {
    expect(statusLines(badDay, plain)).toEqual([
      " 5 providers, 2 in service · 12 waiting (1 high, 9 normal, 2 low) · up 2 h 5 min",
      " 1,210 requests: 1,180 served, 20 failed, 4 given up, 6 in flight · 31 fallbacks · 1,200,000 tokens in, 300,000 out",
      "",
      " provider   model                    rpm                tpm  headroom  circuit       latency  1st token  in flight  notes",
      " openai     gpt-5.4            312 / 500  120,334 / 200,000      38 %  closed          1.2 s     420 ms          4  dry in 41 s",
      " anthropic  claude-sonnet-5-5    50 / 50  120,334 / 200,000       0 %  open, 12 s      1.2 s     420 ms          4  overloaded 3 s ago",
      " gemini     gpt-5.4              3 / ~10            120,334      38 %  benched, 1 h    1.2 s     420 ms          4  benched: quota · 250 / 250 requests a day",
      " groq       gpt-5.4            312 / 500  120,334 / 200,000      22 %  half open       1.2 s     420 ms          0",
      " local      gpt-5.4                  312            120,334      38 %  open by hand    1.2 s     420 ms          4"
    ])
  })

  it.each(
    [
      ["share", "limits are this instance's share of them"],
      ["open", "each instance goes on as though it were alone"]
    ] as const
  )("says that the shared state is away, and what that means (%s)", (policy, meaning) => {
    const lines = statusLines({ ...report(row()), state: { away: true, policy, sinceMs: 12_000 } }, plain)
    expect(lines.slice(2, 4)).toEqual([` the shared state is away, for 12 s: ${meaning}`, ""])
  })

  it("has a dash for a latency that is only a prior", () => {
    const cells = (changes: Parameters<typeof row>[0]) =>
      statusLines(report(row({ rpmLimit: undefined, ...changes })), plain)[4]!.trim().split(/  +/).slice(6, 8)
    expect(cells({ latencyIsPrior: false })).toEqual(["1.2 s", "420 ms"])
    expect(cells({ firstTokenIsPrior: true })).toEqual(["1.2 s", "–"])
    expect(cells({ latencyIsPrior: true, firstTokenIsPrior: true })).toEqual(["–", "–"])
  })

  it("has those in trouble first where there is no room for all, else all in their order", () => {
    const names = (rows: number) =>
      statusLines(badDay, { ...plain, rows }).slice(4).map((line) => line.trim().split(" ")[0])
    expect(names(9)).toEqual(["openai", "anthropic", "gemini", "groq", "local"])
    expect(names(8)).toEqual(["anthropic", "local", "gemini", "groq", "openai"])
    const [first, ...others] = badDay.providers
    const full = row({ name: "full", headroomPct: 9.9 })
    const many = report(row({ name: "well" }), full, ...others, first!)
    expect(statusLines(many, { ...plain, rows: 5 }).slice(8).map((line) => line.trim().split(" ")[0])).toEqual(
      ["full", "openai", "well"]
    )
  })

  it("has a line for a router without providers", () => {
    expect(statusLines(report(), plain).at(-1)).toBe(" There is no provider.")
  })

  it.each([400, 160, 120, 100, 80, 60, 40, 20, 5])("fits in %i columns", (width) => {
    for (const bars of [true, false]) {
      const lines = statusLines(badDay, { bars, paint: paintWith(true), width }).map(stripVTControlCharacters)
      expect(lines.filter((line) => [...line].length > width)).toEqual([])
    }
  })

  it("keeps the provider, its circuit and its headroom longest", () => {
    const titles = (width: number) => statusLines(badDay, { ...plain, width })[3]?.trim().split(/  +/)
    expect(titles(60)).toEqual(["provider", "rpm", "headroom", "circuit"])
    expect(titles(40)).toEqual(["provider", "headroom", "circuit"])
  })

  it("has no colour and no escape without colours, and the same text with them", () => {
    const view = { ...plain, bars: true, width: 120 }
    const without = statusLines(badDay, view)
    expect(without.join("")).not.toContain("\u001b")
    const colored = statusLines(badDay, { ...view, paint: paintWith(true) })
    expect(colored.join("")).toContain("\u001b[31m")
    expect(colored.map(stripVTControlCharacters)).toEqual(without)
  })

  it("keeps its columns under one another, and in the terminal's width, whatever signs a name is made of", () => {
    // In cells of a terminal: wide signs, an emoji of three and one of two, letters with a mark of their own.
    const names = [["混合模型", 8], ["👩‍🔬🇩🇪", 4], ["e\u0301te\u0301", 3], ["ﾊﾝｶｸ", 4], ["plain", 5]] as const
    const rows = names.map(([name]) => row({ name, model: name }))
    const [, ...lines] = statusLines(report(...rows), plain).slice(3)
    for (const [index, [name, cells]] of names.entries()) {
      const cell = name + " ".repeat(8 - cells)
      expect(lines[index]).toMatch(new RegExp(`^ ${cell}  ${cell}  312 / 500  `))
    }
    const clipped = (width: number) => statusLines(report(...rows.slice(0, 2)), { ...plain, width }).slice(4)
    expect(clipped(8)).toEqual([" 混合模…", " 👩‍🔬🇩🇪"])
    expect(clipped(5)).toEqual([" 混…", " 👩‍🔬🇩🇪"])
    expect(clipped(4)).toEqual([" 混…", " 👩‍🔬…"])
    expect(clipped(3)).toEqual([" …", " …"])
  })

  it("shows names that would command the terminal without their commands", () => {
    const lines = statusLines(report(row({ name: "a\u001b]0;title\u0007\n\u202eb", model: "\u009b2J" })), plain)
    // oxlint-disable-next-line no-control-regex
    expect(lines.join("")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
    expect(lines[4]).toContain("a?]0;title???b")
    const json = printableJson({ name: "\u009b2J\u202e\u0007é" }, 2)
    expect(json).toBe("{\n  \"name\": \"\\u009b2J\\u202e\\u0007é\"\n}")
    expect(JSON.parse(json)).toEqual({ name: "\u009b2J\u202e\u0007é" })
  })
})

import { busiest, parseTrace, synthetic } from "@route-llm/core/simulation"
import { Either } from "effect"
import { describe, expect, it } from "vitest"

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

describe("Workload", () => {
  it("makes traffic like the trace it is fitted to, the same for the same seed", () => {
    const hours = [1, 2, 3, 4, 5, 6].map((seed) => synthetic({ seed }))
    const all = hours.flat()
    expect(mean(hours.map(({ length }) => length)) / 60).toBeGreaterThan(270)
    expect(mean(hours.map(({ length }) => length)) / 60).toBeLessThan(400)
    expect(mean(all.map(({ inputTokens }) => inputTokens)) / 1_155).toBeCloseTo(1, 1)
    expect(mean(all.map(({ outputTokens }) => outputTokens)) / 211).toBeCloseTo(1, 0.9)
    expect(synthetic({ seed: 1 })).toEqual(hours[0])
    expect(synthetic({ seed: 2 })).not.toEqual(hours[0])
    expect(hours[0]!.every(({ atMs }, index, array) => index === 0 || atMs >= array[index - 1]!.atMs)).toBe(true)
  })

  it("reads a trace and says which line is wrong", () => {
    const header = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    const trace = parseTrace(
      `${header}2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n`,
      "t.csv"
    )
    expect(Either.getOrThrow(trace)).toEqual([
      { atMs: 0, inputTokens: 374, outputTokens: 44 },
      { atMs: 4315, inputTokens: 396, outputTokens: 109 }
    ])
    const bad = parseTrace(`${header}2023-11-16 18:15:46.6805900,374,44\nyesterday,1,2\n`, "t.csv")
    expect(Either.getLeft(bad).pipe((error) => error._tag === "Some" ? error.value.message : "")).toBe(
      "1 problem in the configuration (t.csv):\n  3:1 row: expected \"2023-11-16 18:15:46.68,374,44\", found \"yesterday,1,2\""
    )
    expect(Either.isLeft(parseTrace(header, "t.csv"))).toBe(true)
  })

  it("cuts out the busiest span", () => {
    const at = (seconds: number) => ({ atMs: seconds * 1000, inputTokens: 1, outputTokens: 1 })
    expect(busiest([0, 50, 100, 101, 102, 200].map(at), "10 seconds").map(({ atMs }) => atMs)).toEqual([0, 1000, 2000])
    expect(busiest([], "1 minute")).toEqual([])
  })
})

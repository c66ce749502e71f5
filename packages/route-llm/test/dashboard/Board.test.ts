import { describe, expect, it } from "vitest"
import { Board } from "../../dashboard/Board.ts"
import { count, latency, percent, span } from "../../dashboard/format.ts"
import { historyMs } from "../../dashboard/History.ts"
import { rollMs, tracks } from "../../dashboard/Roll.ts"
import { attemptAt, endedAt, reportAt, startedAt } from "./App.ts"

const told = (board: Board) => board.log.value.map(({ event }) => event.timestamp - startedAt)

describe("Board", () => {
  it("shows all times and durations as the traffic's own", () => {
    const board = new Board(5)
    const row = {
      avgLatencyMs: 100,
      avgFirstTokenMs: 20,
      circuitRetryAfterMs: 6_000,
      benchedForMs: 1_000,
      dryInMs: 2_000,
      lastError: { class: "timeout" as const, agoMs: 3_000 }
    }
    board.showReport(reportAt(10, row), 1_000)
    expect(board.report.value?.timestamp).toBe(startedAt + 50_000)
    expect(board.report.value?.providers[0]).toMatchObject({
      avgLatencyMs: 500,
      avgFirstTokenMs: 100,
      circuitRetryAfterMs: 30_000,
      benchedForMs: 5_000,
      dryInMs: 10_000,
      lastError: { class: "timeout", agoMs: 15_000 }
    })
    expect(board.now(1_200) - startedAt).toBe(51_000)
    board.showEvent(attemptAt(8, { latencyMs: 300, waitedMs: 100, firstTokenMs: 40 }))
    board.flush()
    expect(board.log.value[0]?.event).toMatchObject({ latencyMs: 1_500, waitedMs: 500, firstTokenMs: 200 })
    expect(told(board)).toEqual([40_000])
  })

  it("stands still once its newest report is old, and never goes back before it", () => {
    const board = new Board()
    board.showReport(reportAt(10, {}), 1_000)
    expect(board.now(60_000)).toBe(startedAt + 13_500)
    expect(board.now(0)).toBe(startedAt + 10_000)
  })

  it("keeps the newest two hundred lines, the newest first, and tells nothing twice", () => {
    const board = new Board()
    board.showReport(reportAt(0, {}), 0)
    for (let second = 0; second < 1_000; second++) board.showEvent(attemptAt(second))
    const at = { timestamp: startedAt + 1_000_000, priority: "normal" } as const
    board.showEvent(endedAt(1_000, "success", { provider: "openai", attempts: 2 }))
    board.showEvent({ ...at, _tag: "FellBack", from: "a", to: "b", because: "timeout", attemptNumber: 2 })
    board.showEvent(endedAt(1_000, "NoCapacity"))
    expect(board.log.value).toEqual([])
    board.flush()
    expect(told(board)).toHaveLength(200)
    expect(told(board).slice(0, 3)).toEqual([1_000_000, 999_000, 998_000])
  })

  it("folds routes that end alike one after the other, however many, also over what it holds back", () => {
    const board = new Board()
    board.showReport(reportAt(0, {}), 0)
    const lines = () =>
      board.log.value.map(({ count, event, id, sinceMs }) => [id, event._tag, count, sinceMs - startedAt])
    for (let second = 1; second <= 500; second++) board.showEvent(endedAt(second, "NoCapacity"))
    board.flush()
    expect(lines()).toEqual([[0, "RouteEnded", 500, 1_000]])
    expect(told(board)).toEqual([500_000])
    board.pause(true)
    for (const second of [501, 502]) {
      board.showEvent(endedAt(second, "NoCapacity"))
      board.flush()
    }
    expect(board.missed.value).toBe(2)
    board.pause(false)
    expect(lines()).toEqual([[0, "RouteEnded", 502, 1_000]])
    board.showEvent(endedAt(503, "cancelled"))
    board.showEvent(attemptAt(504))
    board.showEvent(attemptAt(505))
    board.showEvent(endedAt(506, "NoCapacity"))
    board.flush()
    expect(lines().map(([, tag, count]) => [tag, count])).toEqual([
      ["RouteEnded", 1],
      ["RouteEvent", 1],
      ["RouteEvent", 1],
      ["RouteEnded", 1],
      ["RouteEnded", 502]
    ])
  })

  it("holds its lines while it is paused, counts what comes, and shows it after", () => {
    const board = new Board()
    board.showReport(reportAt(0, {}), 0)
    board.showEvent(attemptAt(1))
    board.flush()
    board.pause(true)
    for (let second = 2; second < 500; second++) {
      board.showEvent(attemptAt(second))
      board.flush()
    }
    expect(told(board)).toEqual([1_000])
    expect(board.missed.value).toBe(498)
    board.pause(false)
    expect(told(board).slice(0, 2)).toEqual([499_000, 498_000])
    expect(board.log.value).toHaveLength(200)
    expect(board.missed.value).toBe(0)
  })

  it("has the newest move of each circuit read out, also while its lines are held", () => {
    const board = new Board()
    board.showReport(reportAt(0, {}), 0)
    board.pause(true)
    const move = (provider: string, from: "closed" | "open", to: "open" | "half_open") =>
      board.showEvent({ _tag: "CircuitMoved", provider, from, to, timestamp: startedAt + 1_000 })
    const moves = () => board.moves.value.map((event) => event._tag === "CircuitMoved" && [event.provider, event.to])
    move("openai", "closed", "open")
    move("groq", "closed", "open")
    move("openai", "open", "half_open")
    for (let second = 0; second < 300; second++) board.showEvent(attemptAt(second))
    board.flush()
    expect(moves()).toEqual([["openai", "half_open"], ["groq", "open"]])
    board.showEvent(attemptAt(300))
    board.flush()
    expect(moves()).toHaveLength(2)
    move("groq", "open", "half_open")
    board.flush()
    expect(moves()).toEqual([["groq", "half_open"]])
  })

  it("forgets what it knew of a router that was started anew", () => {
    const board = new Board()
    board.showReport(reportAt(1, {}), 0)
    board.showEvent(attemptAt(1))
    board.showReport(reportAt(2, {}), 0)
    expect(board.historyOf("openai").latencies).toHaveLength(2)
    board.showReport({ ...reportAt(3, {}), startedAt: startedAt + 2_500 }, 0)
    expect(board.historyOf("openai").latencies).toHaveLength(1)
    expect(board.roll.value.bars).toEqual([])
  })
})

describe("History and Roll", () => {
  it("forget by age and by number", () => {
    const board = new Board()
    for (let second = 0; second < 3 * historyMs / 1_000; second++) {
      board.showReport(reportAt(second, { rpmUsed: second, rpmLimit: 1_000, tpmLimit: undefined }), 0)
    }
    const [times, requests, tokens] = board.historyOf("openai").use
    expect([times.length, requests.length, tokens.length]).toEqual([601, 601, 601])
    expect(times.at(-1)! - times[0]!).toBe(historyMs)
    expect(requests.at(-1)).toBeCloseTo(179.9)
    expect(tokens.at(-1)).toBeNull()
    for (let step = 0; step < 3_000; step++) board.showReport(reportAt(2_000 + step / 1_000, {}), 0)
    expect(board.historyOf("openai").latencies.length).toBe(1_200)
    for (let step = 0; step < 20_000; step++) board.showEvent(attemptAt(3_000 + step / 1_000))
    expect(board.roll.value.bars.length).toBeLessThanOrEqual(4_000)
    board.showReport(reportAt(3_020 + 3 * rollMs / 1_000, {}), 0)
    expect(board.roll.value.bars).toEqual([])
  })

  it("lay bars that overlap into tracks of their own, as long as there are tracks", () => {
    const board = new Board()
    board.showReport(reportAt(0, {}), 0)
    for (let step = 0; step < tracks; step++) board.showEvent(attemptAt(10 + step / 10, { latencyMs: 5_000 }))
    board.showEvent(attemptAt(20, { latencyMs: 1_000 }))
    const used = board.roll.value.bars.map(({ track }) => track)
    expect(used.slice(0, tracks)).toEqual(Array.from({ length: tracks }, (_, track) => track))
    expect(used.at(-1)).toBe(0)
  })

  it("draw an outage from the first report that shows it to the last", () => {
    const board = new Board()
    const open = { circuit: "open", circuitOpen: true } as const
    for (const [second, row] of [[1, {}], [2, open], [3, open], [4, {}], [5, open], [6, open]] as const) {
      board.showReport(reportAt(second, row), 0)
    }
    const spans = board.roll.value.outages.map(({ fromMs, toMs }) => [fromMs - startedAt, toMs - startedAt])
    expect(spans).toEqual([[2_000, 3_000], [5_000, 6_000]])
  })
})

describe("format", () => {
  it("never rounds to all, to nothing or to no time left", () => {
    expect([0, 0.01, 0.5, 1, 49.6, 99, 99.96, 100].map(percent)).toEqual([
      "0 %",
      "0.1 %",
      "0.5 %",
      "1 %",
      "50 %",
      "99 %",
      "99.9 %",
      "100 %"
    ])
    expect([0, 1, 999, 1_000, 29_001, 119_000, 119_001, 3_600_000, 90_000_000].map(span)).toEqual([
      "0 s",
      "1 s",
      "1 s",
      "1 s",
      "30 s",
      "119 s",
      "2 min",
      "60 min",
      "25 h"
    ])
    expect([0.4, 999, 1_234, 9_949, 12_300].map(latency)).toEqual(["0 ms", "999 ms", "1.2 s", "9.9 s", "12 s"])
    expect([0, 99_999, 100_000, 1_234_567].map(count)).toEqual(["0", "99,999", "100K", "1.2M"])
  })
})

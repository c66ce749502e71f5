import { expect, it } from "vitest"
import { isEvent, isReport } from "../../dashboard/reading.ts"
import { badDay, report } from "../command/reports.ts"
import { attemptAt } from "./App.ts"

it("takes what an app of this version reports, and what a later one adds to it", () => {
  const { providers, ...rest } = badDay
  const later = { ...rest, providers: providers.map((row) => ({ ...row, added: { it: null } })), added: [1] }
  for (const each of [badDay, report(), JSON.parse(JSON.stringify(badDay)), later]) expect(isReport(each)).toBe(true)
})

it("refuses a report or an event that lacks any part of what is drawn", () => {
  const drawn = ["timestamp", "startedAt", "providers", "waiting", "totals"]
  for (const name of drawn) expect([name, isReport({ ...badDay, [name]: undefined })]).toEqual([name, false])
  const rows = [
    "name",
    "model",
    "rpmUsed",
    "tpmUsed",
    "avgLatencyMs",
    "avgFirstTokenMs",
    "inFlight",
    "circuit",
    "limits"
  ]
  for (const name of rows) {
    const providers = badDay.providers.map((row, index) => index === 3 ? { ...row, [name]: undefined } : row)
    expect([name, isReport({ ...badDay, providers })]).toEqual([name, false])
  }
  for (const value of [null, [], "status", 1, {}]) {
    expect(isReport(value)).toBe(false)
    expect(isEvent("RouteEvent", value)).toBe(false)
  }
  const event = attemptAt(1)
  expect(isEvent("RouteEvent", event)).toBe(true)
  expect(isEvent("Benched", event)).toBe(false)
  for (const name of ["outcome", "provider", "reason", "priority", "latencyMs", "waitedMs", "timestamp"]) {
    expect([name, isEvent("RouteEvent", { ...event, [name]: undefined })]).toEqual([name, false])
  }
})

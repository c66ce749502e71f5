/** Parts of the tests of the page: what it does with reports that are unusual, or that do not come. */
import type { RouterEvent } from "@route-llm/core"
import type { Page } from "playwright-core"
import { expect } from "vitest"
import { row } from "../command/reports.ts"
import { type App, attemptAt, reportAt, type Row } from "./App.ts"
import { screenshot } from "./browser.ts"

const eventually = <A>(read: () => Promise<A>) => expect.poll(read, { timeout: 15_000 })

interface Stage {
  readonly app: App
  readonly page: Page
}

/** Over a shared store that is away the figures mean something else. */
export const saysThatTheStateIsAway = async ({ app, page }: Stage): Promise<void> => {
  const away = page.getByTestId("away")
  expect(await away.count()).toBe(0)
  const report = (state: object) => {
    const told = { ...reportAt(3, {}), state }
    app.report(told)
  }
  report({ away: true, policy: "share", sinceMs: 41_000 })
  await eventually(() => away.innerText()).toBe(
    "Shared state away\nThis app goes on with its share of every limit, and knows nothing of what others use.\n41 s"
  )
  await screenshot(page, "state-away")
  report({ away: true, policy: "open", sinceMs: 42_000 })
  await eventually(() => away.innerText()).toContain("as though it were alone")
  for (const state of [{ away: true }, { away: false, policy: "share", sinceMs: 1 }, {}]) {
    report(state)
    await away.waitFor({ state: "detached" })
    report({ away: true, policy: "share", sinceMs: 44_000 })
    await away.waitFor()
  }
  app.report(reportAt(7, {}))
  await away.waitFor({ state: "detached" })
}

/** Before the first report, and after. */
export const saysWhyThereIsNoReport = async ({ app, page }: Stage): Promise<void> => {
  const waiting = page.getByRole("status")
  await eventually(() => waiting.innerText()).toContain("Waiting for the first report")
  app.unavailable({ reason: "The shared state cannot be reached." })
  await eventually(() => waiting.innerText()).toBe(
    "No report yet\nThe shared state cannot be reached. Trying again."
  )
  app.report(reportAt(1, {}))
  await page.getByTestId("rpm-openai").waitFor()
  const stale = page.getByRole("alert")
  await eventually(() => stale.innerText()).toContain("The app has fallen silent.")
  app.unavailable({ reason: "64 readers follow the events already." })
  await eventually(() => stale.innerText()).toContain(
    "64 readers follow the events already. What you see is as of 12:00:01."
  )
  app.unavailable(null)
  await eventually(() => stale.innerText()).toContain("The router's state is not available.")
}

/** What it cannot draw is left out, and what it can draw goes on. */
export const leavesOutWhatItCannotDraw = async ({ app, page }: Stage): Promise<void> => {
  const [heading, alert] = [page.getByRole("heading", { level: 3 }), page.getByRole("alert")]
  const before = await heading.innerText()
  const { limits: _, ...rest } = row({ name: "broken" })
  app.report({ ...reportAt(3), providers: [rest as Row] })
  await eventually(() => alert.innerText()).toContain("reports that this dashboard does not read")
  expect(await heading.innerText()).toBe(before)
  app.report(reportAt(4, { name: "whole" }))
  await eventually(() => heading.innerText()).toBe("whole")
  expect(await alert.count()).toBe(0)
  const { timestamp } = attemptAt(5)
  app.tell({ _tag: "RouteEvent", timestamp } as RouterEvent, attemptAt(5, { timestamp: 1e300 }), attemptAt(6))
  await eventually(() => page.locator(".stream li time").allInnerTexts()).toEqual(["12:00:06"])
}

/** The picture of the traffic does not grow with the providers without an end: names stay legible, the rest scrolls. */
export const boundsTheTraffic = async ({ app, page }: Stage): Promise<void> => {
  const picture = async (providers: number) => {
    const rows = Array.from({ length: providers }, (_, index) => ({ name: `provider-${index}` }))
    app.report(reportAt(11, ...rows))
    await eventually(() => page.locator(".traffic li").count()).toBe(providers)
    return page.locator(".traffic .rows").evaluate((place) => ({
      height: place.clientHeight,
      row: place.querySelector("li")!.clientHeight,
      scrolls: place.scrollHeight > place.clientHeight + 1,
      focused: place.tabIndex
    }))
  }
  expect(await picture(4)).toEqual({ height: 164, row: 41, scrolls: false, focused: -1 })
  expect(await picture(30)).toMatchObject({ row: 16, scrolls: false, focused: -1 })
  expect(await picture(50)).toEqual({ height: 492, row: 15, scrolls: true, focused: 0 })
  await screenshot(page, "fifty")
}

/**
 * The dashboard's page in a real browser, over an app that says what the test says.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect, Exit, Scope } from "effect"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { LLMRouter } from "route-llm"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { temporaryFolder } from "../../../redis/test/rigs/process.ts"
import { redisServer } from "../../../redis/test/rigs/redisServer.ts"
import { skips } from "../../../redis/test/rigs/suite.ts"
import { relayed } from "../../src/dashboard/relayed.ts"
import { serveDashboard } from "../../src/dashboard/serveDashboard.ts"
import { withDashboard } from "../command/run.ts"
import { App, attemptAt, endedAt, reportAt, startedAt } from "./App.ts"
import { launch, screenshot, skipBrowser, watch } from "./browser.ts"
import { boundsTheTraffic, leavesOutWhatItCannotDraw, saysThatTheStateIsAway, saysWhyThereIsNoReport } from "./steps.ts"

const eventually = <A>(read: () => Promise<A>) => expect.poll(read, { timeout: 15_000 })

const at = (seconds: number) => startedAt + seconds * 1_000

describe.skipIf(skipBrowser)("the dashboard's page", () => {
  let browser: Browser
  let app: App
  let page: Page
  let seen: ReturnType<typeof watch>
  let scope: Scope.CloseableScope
  let url: string

  const serve = async (port = 0, routes = relayed({ url: `${app.url}/events`, name: "the app" })) => {
    scope = Effect.runSync(Scope.make())
    url = await Effect.runPromise(Scope.extend(serveDashboard({ port, setup: { title: "Test" }, routes }), scope))
  }

  const stopServing = () => Effect.runPromise(Scope.close(scope, Exit.void))

  beforeAll(async () => {
    browser = await launch()
  }, 60_000)
  afterAll(() => browser?.close())

  beforeEach(async () => {
    app = await App.start()
    await serve()
    page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: "dark", timezoneId: "UTC" })
    seen = watch(page)
  }, 60_000)

  afterEach(async () => {
    const origins = new Set(seen.requested.map((each) => new URL(each).origin))
    const { errors } = seen
    await page.close()
    await stopServing()
    await app.stop()
    expect({ errors, origins: [...origins] }).toEqual({ errors: [], origins: [url] })
  })

  const text = (testId: string) => page.getByTestId(testId).innerText()

  it("shows each provider, and moves its bars with each report", async () => {
    app.report(reportAt(1, { rpmUsed: 50, rpmLimit: 500 }, { name: "anthropic", rpmLimit: undefined, rpmUsed: 12 }))
    await page.goto(url)
    const bar = page.getByTestId("rpm-openai")
    await bar.waitFor()
    const width = () =>
      bar.locator("i").evaluate((fill) => fill.getBoundingClientRect().width / fill.parentElement!.clientWidth)
    await eventually(width).toBeCloseTo(0.1, 2)
    expect(await bar.getAttribute("aria-valuetext")).toBe("50 of 500")
    expect(await text("card-anthropic")).toContain("12 a minute, no limit known")
    app.report(reportAt(2, { rpmUsed: 400, rpmLimit: 500 }, { name: "anthropic" }))
    await eventually(width).toBeCloseTo(0.8, 2)
    expect(await text("card-openai")).toContain("20 % free")
    expect(await page.getByTestId("waiting-normal").innerText()).toBe("9")
    expect(await page.title()).toBe("Test – route-llm")
    await saysThatTheStateIsAway({ app, page })
  }, 60_000)

  it("shows a circuit that opens, with the time until it tries again, probes, and closes", async () => {
    app.report(reportAt(1, {}))
    await page.goto(url)
    const circuit = page.getByTestId("circuit-openai")
    await eventually(() => circuit.innerText()).toBe("Circuit closed")
    app.report(reportAt(2, { circuit: "open", circuitOpen: true, circuitRetryAfterMs: 30_000 }))
    // Routes that end at the same moment do not drown it.
    app.tell(
      { _tag: "CircuitMoved", provider: "openai", from: "closed", to: "open", timestamp: at(2) },
      { _tag: "CircuitMoved", provider: "groq", from: "open", to: "half_open", timestamp: at(2) },
      attemptAt(2),
      attemptAt(2)
    )
    const seconds = async () => Number(/^Circuit open, tries again in (\d+) s$/.exec(await circuit.innerText())?.[1])
    await eventually(seconds).toBeGreaterThan(26)
    // Between two reports the time goes on, and not for ever on an old one.
    await eventually(seconds).toBe(27)
    expect(await page.locator("[aria-live=polite]").innerText()).toBe(
      "openai: Circuit opened. groq: Circuit half open"
    )
    app.report(reportAt(4, { circuit: "half_open" }))
    await eventually(() => circuit.innerText()).toBe("Half open, one call probes it")
    app.report(reportAt(5, { benchedForMs: 90_000, benchedBecause: "rate_limit" }))
    await eventually(() => circuit.innerText()).toBe("Benched for 90 s: rate limit")
    app.report(reportAt(6, { circuit: "open", circuitOpen: true }))
    await eventually(() => circuit.innerText()).toBe("Circuit open, until closed by hand")
    app.report(reportAt(7, {}))
    await eventually(() => circuit.innerText()).toBe("Circuit closed")
  }, 60_000)

  it("says when its data is stale, and is live again by itself when the app is, or the server", async () => {
    app.report(reportAt(1, { rpmUsed: 11 }))
    await page.goto(url)
    await page.getByTestId("rpm-openai").waitFor()
    const stale = page.getByRole("alert")
    expect(await stale.count()).toBe(0)
    await app.stop()
    await stale.waitFor()
    await eventually(() => stale.innerText()).toContain(
      "the app does not answer (ECONNREFUSED). What you see is as of 12:00:01"
    )
    app.report(reportAt(9, { rpmUsed: 99 }))
    await app.restart()
    await stale.waitFor({ state: "detached" })
    await eventually(() => page.getByTestId("rpm-openai").getAttribute("aria-valuenow")).toBe("99")

    await stopServing()
    await stale.waitFor()
    await eventually(() => stale.innerText()).toContain("The dashboard's server does not answer.")
    await serve(Number(new URL(url).port))
    await stale.waitFor({ state: "detached" })
  }, 60_000)

  it("comes back also where it was turned away, which browsers take for final", async () => {
    app.report(reportAt(1, {}))
    await stopServing()
    await serve(
      Number(new URL(url).port),
      HttpRouter.get(HttpRouter.empty, "/events", HttpServerResponse.empty({ status: 503 }))
    )
    await page.goto(url)
    await page.getByText("No report yet").waitFor()
    await stopServing()
    await serve(Number(new URL(url).port))
    // Sooner than a line that is only silent would be given up.
    await page.getByTestId("rpm-openai").waitFor({ timeout: 8_000 })
    expect(await page.getByText("No report yet").count()).toBe(0)
  }, 60_000)

  it(
    "says that it is stale when reports stop although the connection stands, and why, if the app says so",
    async () => {
      await page.goto(url)
      await saysWhyThereIsNoReport({ app, page })
      app.report(reportAt(2, {}))
      await expect.poll(() => page.getByRole("alert").count(), { timeout: 15_000 }).toBe(0)
    },
    60_000
  )

  it("lists routes with their reasons, holds still while paused, and leaves out what is no trouble", async () => {
    app.report(reportAt(1, {}, { name: "anthropic" }))
    await page.goto(url)
    await page.getByTestId("rpm-openai").waitFor()
    app.tell(
      attemptAt(1, { outcome: "overloaded", provider: "anthropic", inputTokens: 0, outputTokens: 0 }),
      attemptAt(2, {
        attemptNumber: 2,
        fallbackFrom: { provider: "anthropic", class: "overloaded" },
        priority: "high"
      }),
      attemptAt(3, { reason: "session", waitedMs: 2_500 })
    )
    const lines = page.locator(".stream li")
    await eventually(() => lines.allInnerTexts()).toEqual([
      "12:00:03\nopenai\nits session's, waited 2.5 s\n1,000 → 200 tokens, 1.5 s",
      "12:00:02\nopenai\nbest now, after anthropic: overloaded, high priority\n1,000 → 200 tokens, 1.5 s",
      "12:00:01\nanthropic\nbest now\noverloaded after 1.5 s"
    ])
    await page.keyboard.press("p")
    app.tell(attemptAt(4), attemptAt(5))
    await eventually(() => page.getByRole("button", { pressed: true }).innerText()).toBe("Go on (2 new)")
    expect(await lines.count()).toBe(3)
    await page.keyboard.press("p")
    await eventually(() => lines.count()).toBe(5)
    app.tell(endedAt(6, "NoCapacity"), endedAt(7, "NoCapacity"), attemptAt(8), endedAt(9, "NoCapacity"))
    await eventually(() => lines.count()).toBe(8)
    expect(await lines.nth(2).innerText()).toBe(
      "12:00:07\nrouter\nNot served: no capacity × 2\n2 times\nsince 12:00:06"
    )
    await page.getByRole("button", { name: "Only trouble" }).click()
    await eventually(() => lines.count()).toBe(3)
    // What lay between them is left out, so they are one.
    expect(await lines.first().ariaSnapshot()).toContain("router Not served: no capacity 3 times since 12:00:06")
    await screenshot(page, "folded")
  }, 60_000)

  it("stands ten thousand routes at once: what it keeps and draws is bounded", async () => {
    app.report(reportAt(1, {}))
    await page.goto(url)
    await page.getByTestId("rpm-openai").waitFor()
    for (let second = 0; second < 10; second++) {
      app.tell(...Array.from({ length: 1_000 }, (_, index) => attemptAt(second + index / 1_000, { latencyMs: 400 })))
    }
    app.report(reportAt(10, { rpmUsed: 498 }))
    await eventually(() => page.getByTestId("rpm-openai").getAttribute("aria-valuenow")).toBe("498")
    expect(await page.locator(".stream li").count()).toBeLessThanOrEqual(80)
    await boundsTheTraffic({ app, page })
  }, 60_000)

  it("shows names as text, and refuses a version that it cannot read", async () => {
    const name = "<img src=x onerror=alert(1)>"
    app.report(reportAt(1, { name }))
    await page.goto(url)
    await eventually(() => page.getByRole("heading", { level: 3 }).innerText()).toBe(name)
    expect(await page.locator("img").count()).toBe(0)
    app.report({ ...reportAt(2, { name: "later" }), version: 2 as 1 })
    await eventually(() => page.getByRole("alert").innerText()).toContain("version 2; this dashboard reads version 1")
    expect(await page.getByRole("heading", { level: 3 }).innerText()).toBe(name)
    await leavesOutWhatItCannotDraw({ app, page })
  }, 60_000)

  it("is used by keyboard alone, and remembers light or dark", async () => {
    app.report(reportAt(1, {}))
    await page.goto(url)
    await page.getByTestId("rpm-openai").waitFor()
    app.tell(attemptAt(1))
    await page.locator(".stream li").waitFor()
    const focused = () => page.evaluate(() => document.activeElement?.textContent)
    const order: Array<string | null | undefined> = []
    for (let step = 0; step < 5; step++) {
      await page.keyboard.press("Tab")
      order.push(await focused())
    }
    expect(order).toEqual(["Skip to the routes", "Light", "All limits and the first token", "Only trouble", "Pause"])
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)
    expect(outline).toBe("solid")
    const theme = () => page.evaluate(() => document.documentElement.dataset["theme"])
    expect(await theme()).toBe("dark")
    await page.keyboard.press("t")
    expect(await theme()).toBe("light")
    await page.reload()
    expect(await theme()).toBe("light")
  }, 60_000)

  it("fits a phone: nothing is wider than it", async () => {
    const long = "a-provider-whose-name-is-much-longer-than-anyone-would-wish"
    app.report(
      reportAt(1, { name: long, model: `${long}-model` }, { name: "openai", circuit: "open", circuitOpen: true })
    )
    await page.goto(url)
    await page.getByTestId(`card-${long}`).waitFor()
    app.tell(attemptAt(1, { provider: long, fallbackFrom: { provider: long, class: "context_too_long" } }))
    await page.locator(".stream li").waitFor()
    // Turned from a wide screen to a narrow one, since a chart's width is fixed when it is drawn.
    await page.setViewportSize({ width: 360, height: 740 })
    const plots = () => page.locator(".plot canvas").evaluateAll((all) => all.map((plot) => plot.clientWidth < 360))
    await eventually(plots).toEqual([true, true])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)
    await screenshot(page, "phone-long-names")
  }, 60_000)

  it.skipIf(skips("own"))("of a configuration shows what its Redis shares, and that Redis is away", async () => {
    const vendor = LoopbackVendor.make({ vendor: "openai", latency: noLatency })
    const parts = Effect.all({ redis: redisServer(), vendor, folder: temporaryFolder })
    const { folder, redis, vendor: openai } = await Effect.runPromise(Scope.extend(parts, scope))
    const yaml = join(folder, "router.yaml")
    const providers = [{ name: "openai", api_key: "k", base_url: openai.url, rpm_limit: 50 }]
    await writeFile(yaml, JSON.stringify({ providers, redis_url: redis.url }))
    await using router = await LLMRouter.fromYaml(yaml, { estimator: "heuristic" })
    const { ran } = await withDashboard(["--config", yaml], {}, async (address) => {
      url = address
      await page.goto(url)
      const bar = page.getByTestId("rpm-openai")
      const used = () => bar.getAttribute("aria-valuetext")
      await bar.waitFor()
      expect(await used()).toBe("0 of 50")
      await router.chat({ messages: [{ role: "user", content: "[answer with 3 tokens]" }] })
      await eventually(used).toBe("1 of 50")
      await Effect.runPromise(redis.stop)
      const stale = page.getByRole("alert")
      await stale.waitFor()
      expect(await stale.innerText()).toMatch(
        /The shared state (does not answer|cannot be reached|has not answered in time)\./
      )
      await screenshot(page, "redis-away")
      await Effect.runPromise(redis.start)
      await stale.waitFor({ state: "detached" })
      await eventually(() => page.locator(".stream li .text").allInnerTexts()).toEqual([
        "The shared state is back",
        "The shared state is away"
      ])
    })
    expect([ran.code, ran.stderr]).toEqual([130, ""])
  }, 90_000)
})

/**
 * `route-llm demo --dashboard` as people run it, in a real browser: traffic through four vendors, one of which fails.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { describe, expect, it } from "vitest"
import { commandFile } from "../command/run.ts"
import { launch, screenshot, skipBrowser, watch } from "./browser.ts"

/** The command, and the address that it prints. */
const startDemo = async (...args: ReadonlyArray<string>) => {
  const command = [await commandFile(), "demo", "--dashboard", "--port", "0", ...args]
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] })
  for await (const line of createInterface(child.stdout)) {
    const [url] = /http:\/\/localhost:\d+/.exec(line) ?? []
    if (url !== undefined) return { child, url }
  }
  throw new Error("the demo ended before it said where its dashboard is")
}

describe.skipIf(skipBrowser)("demo --dashboard", () => {
  it("moves its bars, opens and closes a circuit on screen, and is stale once the app has ended", async () => {
    const { child, url } = await startDemo("--seed", "3", "--speed", "10")
    const browser = await launch()
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 }, colorScheme: "dark" })
    const { errors, requested } = watch(page)
    try {
      await page.goto(url, { timeout: 90_000 })
      const used = async () => Number(await page.getByTestId("tpm-openai").getAttribute("aria-valuenow"))
      await expect.poll(used, { timeout: 60_000 }).toBeGreaterThan(0)
      const before = await used()
      await expect.poll(used, { timeout: 60_000 }).not.toBe(before)
      const share = page.getByTestId("tpm-openai").locator("i")
      const width = await share.evaluate((fill) => fill.getBoundingClientRect().width)
      expect(width).toBeGreaterThan(0)

      const gemini = page.getByTestId("circuit-gemini")
      // Both at one moment: it is not open for long.
      const circuit = () => gemini.evaluate((shown: HTMLElement) => `${shown.dataset["state"]}: ${shown.innerText}`)
      await expect.poll(circuit, { timeout: 90_000 }).toMatch(
        /^open: Circuit open, tries again (in \d+ s|with the next request)$/
      )
      await page.locator("[data-tag=CircuitMoved]").first().waitFor()
      await screenshot(page, "dark")
      await page.getByRole("button", { name: "Light" }).click()
      await screenshot(page, "light")
      await expect.poll(() => gemini.getAttribute("data-state"), { timeout: 90_000 }).toBe("in_service")
      await page.setViewportSize({ width: 390, height: 844 })
      await screenshot(page, "phone")

      child.kill("SIGINT")
      await once(child, "exit")
      await page.getByRole("alert").waitFor({ timeout: 15_000 })
      expect(await page.getByRole("alert").innerText()).toContain("Stale data")
      await page.setViewportSize({ width: 1600, height: 1000 })
      await screenshot(page, "stale")
      expect(errors).toEqual([])
      expect([...new Set(requested.map((each) => new URL(each).origin))]).toEqual([url])
    } finally {
      child.kill("SIGKILL")
      await browser.close()
    }
  }, 300_000)
})

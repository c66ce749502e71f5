import { existsSync, mkdirSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

const found = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => names.map((name) => join(folder, name)))
  .find((path) => existsSync(path))

const executablePath = process.env["CHROMIUM"] ?? found

/** Whether the tests in a browser are left out; where they are wanted (`REQUIRE_CHROMIUM=1`) they fail instead. */
export const skipBrowser = executablePath === undefined && process.env["REQUIRE_CHROMIUM"] !== "1"

if (skipBrowser) {
  console.warn(
    "The dashboard is not tested in a browser: no Chromium on PATH. `apt-get install chromium`, or set CHROMIUM."
  )
}

const artefacts = fileURLToPath(new URL("../../../../.cache/dashboard/", import.meta.url))

export const launch = (): Promise<Browser> => {
  if (executablePath === undefined) throw new Error("REQUIRE_CHROMIUM is set, and there is no Chromium on PATH")
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync"
    ]
  })
}

/** Kept for people to look at: `.cache/dashboard`. */
export const screenshot = async (page: Page, name: string): Promise<void> => {
  mkdirSync(artefacts, { recursive: true })
  await page.screenshot({ path: `${artefacts}${name}.png`, fullPage: name.includes("phone") })
}

/** What a page asks for, and what it complains of. */
export const watch = (page: Page) => {
  const requested: Array<string> = []
  const errors: Array<string> = []
  page.on("request", (request) => requested.push(request.url()))
  page.on("pageerror", (error) => errors.push(error.message))
  // A page that is to reconnect loses its connection on purpose; everything else is a fault of the page.
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) errors.push(message.text())
  })
  return { requested, errors }
}

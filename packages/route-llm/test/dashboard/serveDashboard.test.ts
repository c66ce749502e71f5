import * as HttpRouter from "@effect/platform/HttpRouter"
import { Effect, Exit, Scope } from "effect"
import { request } from "node:http"
import { networkInterfaces } from "node:os"
import { expect, it } from "vitest"
import { relayed } from "../../src/dashboard/relayed.ts"
import { type DashboardOptions, serveDashboard } from "../../src/dashboard/serveDashboard.ts"
import { readFrames } from "../http/support.ts"
import { App, reportAt } from "./App.ts"

const open = async (options: Partial<DashboardOptions> = {}) => {
  const scope = Effect.runSync(Scope.make())
  const serving = serveDashboard({ port: 0, setup: {}, routes: HttpRouter.empty, ...options })
  const url = await Effect.runPromise(Scope.extend(serving, scope))
  return { url, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** What a request under this name of the host is answered with. */
const statusFor = (url: string, host: string) =>
  new Promise<number | undefined>((resume, fail) => {
    request(url, { headers: { host } }, (response) => {
      response.resume()
      resume(response.statusCode)
    }).on("error", fail).end()
  })

it("serves one page that may load nothing but its own events", async () => {
  const { close, url } = await open({ setup: { title: "<b>\"quoted\" & $1</b>", speed: 5 } })
  const page = await fetch(url)
  const html = await page.text()
  const [, policy = ""] = /Content-Security-Policy" content="([^"]*)"/.exec(html) ?? []
  const [, setup = ""] = /name="setup" content="([^"]*)"/.exec(html) ?? []
  const others = await Promise.all(["/nothing", "/events"].map(async (path) => (await fetch(url + path)).status))
  await close()
  expect(page.headers.get("content-type")).toContain("text/html")
  expect(page.headers.get("x-frame-options")).toBe("DENY")
  expect(page.headers.get("cache-control")).toBe("no-store")
  expect(policy).toMatch(
    /^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+'; font-src data:; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'$/
  )
  const text = setup.replaceAll("&lt;", "<").replaceAll("&quot;", "\"").replaceAll("&amp;", "&")
  expect(JSON.parse(text)).toEqual({ title: "<b>\"quoted\" & $1</b>", speed: 5 })
  expect(others).toEqual([404, 404])
}, 30_000)

/** Some containers have no IPv6 at all. */
const hasIpv6 = Object.values(networkInterfaces()).flat().some((each) => each?.address === "::1")

const hosts: ReadonlyArray<readonly [host: string | undefined, shown: string]> = [
  [undefined, "localhost"],
  ["localhost", "localhost"],
  ["127.0.0.2", "127.0.0.2"],
  ...(hasIpv6 ? [["::1", "[::1]"], ["[::1]", "[::1]"]] as const : [])
]

it.each(hosts)(
  "answers on the loopback only, and there only to the loopback's names: --host %s",
  async (host, shown) => {
    const { close, url } = await open({ host })
    const { hostname, port } = new URL(url)
    const names = ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "LOCALHOST", "localhost."]
      .map((name) => `${name}:${port}`)
    const own = await Promise.all(names.map((name) => statusFor(url, name)))
    const foreign = await Promise.all(
      ["evil.example", `evil.example:${port}`, "localhost.evil.example", "127.0.0.1.evil.example", "128.0.0.1", "[::2]"]
        .map((name) => statusFor(url, name))
    )
    await close()
    expect(hostname).toBe(shown)
    expect(own).toEqual(names.map(() => 200))
    expect(foreign).toEqual(Array(6).fill(421))
  },
  30_000
)

it("answers to any name where it was told to listen for others", async () => {
  const { close, url } = await open({ host: "0.0.0.0" })
  const answered = await statusFor(`http://127.0.0.1:${new URL(url).port}`, "board.example")
  await close()
  expect(answered).toBe(200)
}, 30_000)

it("says which port is taken, and what to do", async () => {
  const { close, url } = await open()
  const port = Number(new URL(url).port)
  const second = Effect.runPromise(
    Effect.scoped(Effect.flip(serveDashboard({ port, setup: {}, routes: HttpRouter.empty })))
  )
  const { message } = await second
  await close()
  expect(message).toBe(`Port ${port} is taken, perhaps by another dashboard. Name another one: --port.`)
}, 30_000)

it("passes an app's events on to each page, and closes while pages are open", async () => {
  const app = await App.start()
  app.report(reportAt(1, { rpmUsed: 7 }))
  const { close, url } = await open({ routes: relayed({ url: `${app.url}/events`, name: "the app" }) })
  const readers = await Promise.all([1, 2].map(async () => readFrames(await fetch(`${url}/events`))))
  const frames = await Promise.all(readers.map((reader) => reader.next()))
  expect(frames.map((frame) => frame?.event)).toEqual(["status", "status"])
  app.report(reportAt(2, { rpmUsed: 8 }))
  const later = await Promise.all(readers.map((reader) => reader.next()))
  expect(later).toEqual([1, 2].map(() => ({ event: "status", data: reportAt(2, { rpmUsed: 8 }) })))
  await app.stop()
  expect(await readers[0]!.until(({ event }) => event === "lost")).toHaveLength(1)
  await app.restart()
  expect((await readers[0]!.until(({ event }) => event === "status")).at(-1)?.data).toEqual(reportAt(2, { rpmUsed: 8 }))
  await close()
  await app.stop()
}, 30_000)

import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, it } from "vitest"
import { promised, readFrames, run } from "../http/support.ts"
import { routeLlm, serve, startApp, withDashboard } from "./run.ts"

it("serves a page over an application's events, for which it knows the token", () =>
  run(Effect.gen(function*() {
    const { router } = yield* startApp
    const { url } = yield* serve((request) =>
      request.headers.get("authorization") === "Bearer canary-token"
        ? router.statusHandler(request)
        : Promise.resolve(new Response("no", { status: 401 }))
    )
    const { ran, used } = yield* promised(() =>
      withDashboard(["--url", url], { ROUTE_LLM_TOKEN: "canary-token" }, async (address) => {
        expect(new URL(address).hostname).toBe("localhost")
        const page = await fetch(address)
        const frames = readFrames(await fetch(`${address}/events`))
        const first = await frames.next()
        await frames.cancel()
        return { page: `${[...page.headers].join()} ${await page.text()}`, first }
      })
    )
    expect(used.page).toContain("<!doctype html>")
    expect(used.first).toMatchObject({ event: "status", data: { providers: [{ name: "first" }, { name: "second" }] } })
    expect(JSON.stringify([ran, used])).not.toContain("canary")
    expect(ran).toMatchObject({ code: 130, stderr: "" })
    expect(ran.stdout).toBe(
      `The dashboard of ${url} is on ${/http:\/\/localhost:\d+/.exec(ran.stdout)?.[0]}. Ctrl-C ends it.\n`
    )
  })), 60_000)

it("says that its port is taken", () =>
  run(Effect.gen(function*() {
    const { url } = yield* startApp
    const taken = yield* Effect.acquireRelease(
      promised(() =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => resolve(server))
        })
      ),
      (server) => Effect.sync(() => server.close())
    )
    const { port } = taken.address() as AddressInfo
    const ran = yield* promised(() => routeLlm(["dashboard", "--url", url, "--port", `${port}`]))
    expect(ran).toMatchObject({ code: 1, stdout: "" })
    expect(ran.stderr).toContain(`Port ${port} is taken`)
  })), 60_000)

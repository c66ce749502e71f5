import { Effect } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import OpenAI from "openai"
import { describe, expect, it } from "vitest"
import { bundled } from "../../../../test/bundled.ts"
import { hello, promised, run } from "../http/support.ts"
import { commandFile, root, serve, startApp } from "./run.ts"
import { hasTmux, openTerminal, type Terminal } from "./tmux.ts"

const esc = "\u001b"

interface Options {
  readonly env?: string
  readonly interval?: number
}

const watching = (url: string, { env = "", interval = 0.2 }: Options) =>
  Effect.map(promised(commandFile), (file) => {
    const command = `${process.execPath} ${file} status --url ${url} --watch --interval ${interval}`
    return `${env} ${command}; echo "ended with $?"`
  })

/** A shell with something to be seen in it, and the command drawing over that. */
const startWatching = (terminal: Terminal, url: string, options: Options = {}) =>
  Effect.gen(function*() {
    yield* terminal.enter("echo what was there before")
    yield* terminal.enter(yield* watching(url, options))
    return yield* terminal.until((screen, { alternate }) => alternate && screen.includes("2 providers"))
  })

const restored = (terminal: Terminal, code: number) =>
  Effect.gen(function*() {
    const screen = yield* terminal.until((seen, { alternate }) => !alternate && seen.includes(`ended with ${code}\n`))
    expect(screen).toContain("what was there before")
    expect(screen).not.toContain("2 providers")
    expect(yield* terminal.flags).toEqual({ alternate: false, cursor: true })
    // Typed text is to be seen again, and keys are lines again.
    yield* terminal.enter("echo $((40 + 2)) after")
    yield* terminal.until((seen) => seen.includes("echo $((40 + 2)) after\n42 after\n"))
  })

describe.skipIf(!hasTmux)("route-llm status --watch in a terminal", () => {
  it("is drawn in place on the other screen, and q puts everything back", () =>
    run(Effect.gen(function*() {
      const { router, url, vendor } = yield* startApp
      const terminal = yield* openTerminal()
      const first = yield* startWatching(terminal, url)
      expect(first).not.toContain("what was there before")
      expect(yield* terminal.flags).toEqual({ alternate: true, cursor: false })
      expect(first).toMatch(/^ http:\/\/127\.0\.0\.1:\d+\/llm · \d\d:\d\d:\d\d · q quits\n\n 2 providers, 2 in service/)
      expect(first).toMatch(/^ first .* 0 \/ 100 .*█{10} 100 %  closed/m)

      yield* promised(() => router.chat(hello))
      yield* promised(() => router.forceOpen("second"))
      const later = yield* terminal.until((screen) => screen.includes("open by hand"))
      expect(later).toMatch(/^ 2 providers, 1 in service/m)
      expect(later).toMatch(/^ first .* 1 \/ 100 /m)

      // Where there is room for one of three, it is the one that is open.
      router.register("third", { client: new OpenAI({ apiKey: "k", baseURL: vendor.url }), rpm: 10 })
      yield* terminal.until((screen) => /^ first .*\n second .*\n third /m.test(screen))
      yield* terminal.resize(120, 8)
      yield* terminal.until((screen) => /^ provider .*\n second .* open by hand .*\n … 2 more lines\n$/m.test(screen))
      yield* terminal.press("q")
      yield* restored(terminal, 0)
    })), 90_000)

  it("never clears what it draws over, and marks each frame as one piece", () =>
    run(Effect.gen(function*() {
      const { url } = yield* startApp
      const terminal = yield* openTerminal()
      yield* startWatching(terminal, url)
      const frames = (text: string) => text.split(`${esc}[?2026h`).slice(1)
      yield* terminal.untilWritten((text) => frames(text).length >= 6)
      yield* terminal.press("q")
      yield* restored(terminal, 0)
      const written = yield* terminal.written
      expect(written).not.toContain(`${esc}[2J`)
      for (const frame of frames(written)) {
        expect(frame.startsWith(`${esc}[H`)).toBe(true)
        const [lines, after] = frame.split(`${esc}[?2026l`)
        expect(lines?.endsWith(`${esc}[J`)).toBe(true)
        expect(after).toBeDefined()
      }
    })), 90_000)

  it("follows the terminal's size", () =>
    run(Effect.gen(function*() {
      const { url } = yield* startApp
      const terminal = yield* openTerminal(140, 30)
      // Nothing but the resizing draws it again.
      expect(yield* startWatching(terminal, url, { interval: 3600 })).toContain("1st token")
      yield* terminal.resize(60, 12)
      const narrow = yield* terminal.until((screen) => /^ provider +rpm +tpm +headroom +circuit$/m.test(screen))
      expect(narrow.split("\n").filter((line) => line.includes("first"))).toHaveLength(1)
      yield* terminal.resize(140, 6)
      yield* terminal.until((screen) => /… \d more lines\n$/.test(screen))
      yield* terminal.resize(140, 30)
      yield* terminal.until((screen) => screen.includes("1st token") && screen.includes("second"))
      yield* terminal.press("q")
      yield* restored(terminal, 0)
    })), 90_000)

  it(
    "says how old its figures are when the application does not answer, and goes on when it does",
    () =>
      run(Effect.gen(function*() {
        const { router } = yield* startApp
        let [down, hung] = [false, false]
        const commands = { error: { message: `${esc}]0;PWNED\u0007${esc}[2J\u009b2J\nit is away` } }
        const { url } = yield* serve((request) =>
          hung
            ? new Promise<Response>(() => {})
            : down
            ? Promise.resolve(Response.json(commands, { status: 502 })) :
            router.statusHandler(request)
        )
        const terminal = yield* openTerminal()
        yield* startWatching(terminal, url)
        down = true
        const stale = yield* terminal.until((screen) => /stale, as of .* ago: .* answered 502/.test(screen))
        expect(stale).toContain("2 providers")
        down = false
        yield* terminal.until((screen) => !screen.includes("stale") && screen.includes("2 providers"))
        // One that hangs is late after the interval and a second, and the age goes on while it is waited for.
        hung = true
        const late = /stale, as of (\S+) s ago: it has not answered yet/
        const age = (screen: string) => Number(late.exec(screen)?.[1])
        const first = age(yield* terminal.until((screen) => late.test(screen)))
        yield* terminal.until((screen) => age(screen) > first)
        yield* terminal.press("q")
        yield* restored(terminal, 0)
        const written = yield* terminal.written
        expect(written).toContain("answered 502: ?]0;PWNED??[2J?2J?it is away")
        for (const command of ["PWNED\u0007", "\u009b"]) expect(written).not.toContain(command)
      })),
    90_000
  )

  it("has colours, and none with NO_COLOR", () =>
    run(Effect.gen(function*() {
      const { url } = yield* startApp
      for (const [env, colors] of [["", true], ["NO_COLOR=1", false]] as const) {
        const terminal = yield* openTerminal()
        yield* startWatching(terminal, url, { env })
        yield* terminal.press("q")
        yield* restored(terminal, 0)
        // oxlint-disable-next-line no-control-regex
        expect(/\u001b\[(3[0-9]|2|1)m/.test(yield* terminal.written)).toBe(colors)
      }
    })), 90_000)

  it("puts everything back on Ctrl-C and on a signal from elsewhere", () =>
    run(Effect.gen(function*() {
      const { url } = yield* startApp
      const terminal = yield* openTerminal()
      yield* startWatching(terminal, url)
      yield* terminal.press("C-c")
      yield* restored(terminal, 130)

      const other = yield* openTerminal()
      yield* startWatching(other, url)
      // Of the shell in the terminal the only child.
      yield* promised(() => promisify(execFile)("pkill", ["-TERM", "-P", `${other.pane}`]))
      yield* restored(other, 130)
      // Once in, once out.
      expect((yield* other.written).split(`${esc}[?1049l`)).toHaveLength(2)
    })), 90_000)

  it("ends with the terminal that it draws on", () =>
    run(Effect.gen(function*() {
      const { url } = yield* startApp
      const pid = yield* Effect.scoped(Effect.gen(function*() {
        const terminal = yield* openTerminal()
        yield* startWatching(terminal, url)
        return Number((yield* promised(() => promisify(execFile)("pgrep", ["-P", `${terminal.pane}`]))).stdout)
      }))
      expect(pid).toBeGreaterThan(0)
      const state = promised(() => promisify(execFile)("ps", ["-o", "pid=", "-p", `${pid}`]).catch(() => "gone"))
      expect(yield* Effect.repeat(state, { until: (is) => is === "gone", times: 3_000 })).toBe("gone")
    })), 90_000)

  it("stops on Ctrl-Z with everything put back, and draws again in the foreground", () =>
    run(Effect.gen(function*() {
      const { url } = yield* startApp
      const terminal = yield* openTerminal()
      yield* startWatching(terminal, url, { interval: 3600 })
      yield* terminal.press("C-z")
      const stopped = yield* terminal.until((seen, { alternate, cursor }) =>
        !alternate && cursor && seen.includes("Stopped")
      )
      expect(stopped).toContain("what was there before")
      yield* terminal.enter("fg")
      yield* terminal.until((screen, { alternate, cursor }) => alternate && !cursor && screen.includes("2 providers"))
      yield* terminal.press("q")
      yield* terminal.until((_, { alternate, cursor }) => !alternate && cursor)
    })), 90_000)

  it("leaves the terminal usable also where the program falls over", () =>
    run(Effect.gen(function*() {
      const terminal = yield* openTerminal()
      yield* terminal.enter("echo what was there before")
      const folder = `${root}packages/route-llm/.cache/fallsOver`
      yield* promised(() => bundled([`${root}packages/route-llm/test/command/fallsOver.ts`], folder))
      yield* terminal.enter(`${process.execPath} ${folder}/fallsOver.mjs; echo "ended with $?"`)
      yield* restored(terminal, 1)
      expect(yield* terminal.written).toContain("a frame before the fall")
    })), 90_000)
})

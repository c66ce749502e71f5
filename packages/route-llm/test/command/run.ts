import { LoopbackVendor, noLatency } from "@route-llm/providers/testing"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import OpenAI from "openai"
import { LLMRouter } from "route-llm"
import { listener } from "../listener.ts"

export const root = fileURLToPath(new URL("../../../../", import.meta.url))

/** One for each worker of the tests. Inside the package, so that what the command imports by name is found. */
const folder = `${root}packages/route-llm/.cache/command-${process.env["VITEST_POOL_ID"] ?? "0"}`

const bundle = async (): Promise<string> => {
  const bundler: { readonly bundleCommand: (outdir: string) => Promise<void> } = await import(
    new URL("../../../../scripts/bundleCommand.mjs", import.meta.url).href
  )
  await bundler.bundleCommand(folder)
  return `${folder}/bin.js`
}

let bundled: Promise<string> | undefined

/** The command as the package has it, made from the sources once a worker. */
export const commandFile = (): Promise<string> => bundled ??= bundle()

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Called with all that has come on stdout so far; `stop` sends SIGINT. */
  readonly onOutput?: (stdout: string, stop: () => void) => void
}

/** Runs the command on pipes, to its end. */
export const routeLlm = async (
  args: ReadonlyArray<string>,
  { env = {}, input, onOutput }: RunOptions = {}
): Promise<Ran> => {
  const file = await commandFile()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { env: { ...process.env, ...env }, cwd: root })
    let [stdout, stderr] = ["", ""]
    child.stdout.on("data", (data: Buffer) => {
      stdout += data.toString()
      onOutput?.(stdout, () => void child.kill("SIGINT"))
    })
    child.stderr.on("data", (data: Buffer) => stderr += data.toString())
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
    child.stdin.end(input ?? "")
  })
}

/** Runs the dashboard on a free port until `use` is through with the page's address. */
export const withDashboard = async <A>(
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  use: (address: string) => Promise<A>
): Promise<{ readonly ran: Ran; readonly used: A }> => {
  let using: Promise<A> | undefined
  const ran = await routeLlm(["dashboard", "--port", "0", ...args], {
    env,
    onOutput: (stdout, stop) => {
      const [, address] = / is on (http:\S+)\. /.exec(stdout) ?? []
      if (address === undefined || using !== undefined) return
      using = use(address).finally(stop)
      // Where it fails it is heard of below.
      using.catch(() => {})
    }
  })
  if (using === undefined) throw new Error(`no address in ${JSON.stringify(ran)}`)
  return { ran, used: await using }
}

/** Serves a handler on a free port of this machine, until the scope closes; its address. */
export const serve = (handler: (request: Request) => Promise<Response>) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer(listener(handler))
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({
          url: `http://127.0.0.1:${port}`,
          close: () => {
            server.closeAllConnections()
            server.close()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** An application: a router over two vendors on loopback, with its status served under `/llm`. */
export const startApp = Effect.gen(function*() {
  const vendor = yield* LoopbackVendor.make({ vendor: "openai", latency: noLatency })
  const client = new OpenAI({ apiKey: "k", baseURL: vendor.url })
  const router = yield* Effect.acquireRelease(
    Effect.sync(() =>
      LLMRouter.fromConfig({ providers: [] }, { estimator: "heuristic" })
        .register("first", { client, rpm: 100, tpm: 10_000, weight: 5 })
        .register("second", { client, rpm: 50 })
    ),
    (made) => Effect.promise(() => made.close())
  )
  const { close, url } = yield* serve(router.statusHandler)
  return { router, vendor, url: `${url}/llm`, stop: close }
})

/** Processes with a router each over one Redis, vendors on loopback, and what each of them says of the whole. */
import { RouterStatus, StatusReport } from "@route-llm/core"
import { Effect, Schema } from "effect"
import { build } from "esbuild"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { start, temporaryFolder } from "../../../redis/test/rigs/process.ts"
import { commandFile, root, routeLlm } from "../command/run.ts"

/** Inside the package, so that the SDKs are found. */
const program = `${root}packages/route-llm/.cache/fleet-${process.env["VITEST_POOL_ID"] ?? "0"}/member.mjs`

const bundled = Effect.promise(() =>
  build({
    entryPoints: [`${root}packages/route-llm/test/fleet/member.ts`],
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    tsconfig: `${root}tsconfig.base.json`,
    external: ["openai", "@anthropic-ai/sdk", "@google/genai", "groq-sdk", "js-tiktoken"],
    // What CommonJS packages inside an ES module look for.
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);` },
    logLevel: "error"
  })
)

export const all = <A, R>(effects: ReadonlyArray<Effect.Effect<A, never, R>>) =>
  Effect.all(effects, { concurrency: "unbounded" })

const strict = { onExcessProperty: "error" } as const

const read = async <A, I>(url: string, schema: Schema.Schema<A, I>, init?: RequestInit): Promise<A> => {
  const response = await fetch(url, init)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${text}`)
  return Schema.decodeUnknownSync(schema, strict)(JSON.parse(text))
}

const startMember = (options: object) =>
  Effect.gen(function*() {
    let url = ""
    const isReady = (line: string) => {
      url = line
      return line.startsWith("http://")
    }
    const args = [program, JSON.stringify(options)]
    yield* Effect.acquireRelease(
      start({ command: process.execPath, args, cwd: root, isReady }),
      (child) => Effect.sync(() => void child.kill("SIGKILL"))
    )
    const body = (request: object) => ({ method: "POST", body: JSON.stringify(request) })
    return {
      chat: (request: object) => Effect.promise(() => read(`${url}/chat`, Schema.Unknown, body(request))),
      /** `router.status()` in that process. */
      own: Effect.promise(() => read(`${url}/own`, RouterStatus)),
      /** Its `/status`. */
      report: Effect.promise(() => read(`${url}/llm/status`, StatusReport))
    }
  })

type Providers = ReadonlyArray<{ readonly name: string; readonly apiKey: string; readonly baseUrl: string }>

/** The command, with its configuration in a file. */
const makeCommand = (providers: Providers, args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const yaml = join(yield* temporaryFolder, "router.yaml")
    yield* Effect.promise(() => writeFile(yaml, JSON.stringify({ providers })))
    const report = Effect.promise(async () => {
      const { code, stderr, stdout } = await routeLlm(["status", "--config", yaml, "--json", ...args])
      if (code !== 0) throw new Error(`the command ended with ${code}: ${stderr}`)
      return Schema.decodeUnknownSync(StatusReport, strict)(JSON.parse(stdout))
    })
    return { report }
  })

type Rows = ReadonlyArray<{ readonly name: string } & RouterStatus[string]>

/** What everyone says at one moment. */
export interface Told {
  /** By each process itself, by each over HTTP, and by the command. */
  readonly rows: ReadonlyArray<Rows>
  /** Of each process. */
  readonly totals: ReadonlyArray<StatusReport["totals"]>
}

/** Three processes. All that takes long is done when it succeeds: what is compared is in the window for a minute only. */
export const startFleet = (providers: Providers, redisUrl: string) =>
  Effect.gen(function*() {
    yield* Effect.zip(bundled, Effect.promise(commandFile), { concurrent: true })
    const namespace = "seen"
    const members = yield* all([1, 2, 3].map(() => startMember({ providers, redisUrl, namespace })))
    const command = yield* makeCommand(providers, ["--redis", redisUrl, "--namespace", namespace])
    const told: Effect.Effect<Told> = Effect.gen(function*() {
      // What a process has settled it tells Redis a moment later, but before it asks for anything.
      yield* all(members.map(({ own }) => own))
      const [owns, reports, observed] = yield* Effect.all(
        [all(members.map(({ own }) => own)), all(members.map(({ report }) => report)), command.report],
        { concurrency: "unbounded" }
      )
      const rowsOf = (status: RouterStatus): Rows => Object.entries(status).map(([name, row]) => ({ name, ...row }))
      return {
        rows: [...owns.map(rowsOf), ...[...reports, observed].map((report) => report.providers)],
        totals: reports.map(({ totals }) => totals)
      }
    })
    /** By one after the other. */
    const chat = (at: number, request: object) => members[at % members.length]!.chat(request)
    return { chat, told }
  })

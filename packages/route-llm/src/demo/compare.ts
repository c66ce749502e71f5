/**
 * Every strategy over the same traffic and the same four vendors, on virtual time: an hour of each in seconds.
 */
import { simulate, type SimulationReport, strategies, type VendorModelInput } from "@route-llm/core/simulation"
import { defaultLatency } from "@route-llm/providers/testing"
import { Console, Effect } from "effect"
import { openScreen } from "./screen.ts"
import { format, refusals, seconds, table, textTable } from "./text.ts"
import { demoVendors } from "./vendors.ts"
import { loadWorkload, minutesOf, type WorkloadOptions } from "./workload.ts"

export interface CompareOptions extends WorkloadOptions {
  readonly json: boolean
}

const vendors: ReadonlyArray<VendorModelInput> = demoVendors.map(({ name, requestLimit, tokenLimit }) => ({
  name,
  limits: { requests: requestLimit, tokens: tokenLimit },
  latency: defaultLatency[name]
}))

/** At most this long a request waits for room. */
const maxWaitSeconds = 30

/** The standard deviation of an estimate's logarithm: most are off by less than a tenth. */
const estimateError = 0.1

/** One strategy's report, and how much of what the bound serves it serves. */
interface Compared extends SimulationReport {
  readonly ofBoundPct: number
}

interface CompareReport {
  readonly workload: {
    readonly source: string
    readonly requests: number
    readonly minutes: number
    readonly seed: number
  }
  readonly vendors: ReadonlyArray<VendorModelInput>
  readonly maxWaitSeconds: number
  readonly estimateError: number
  readonly strategies: ReadonlyArray<Compared>
}

const renderRows = (reports: ReadonlyArray<SimulationReport>, ofBound: (report: SimulationReport) => string): string =>
  table([
    ["strategy", "served", "of bound", "429s met", "latency p50", "p99", "waiting p50", "p99"],
    ...reports.map((report) => [
      report.strategy,
      format(report.served),
      ofBound(report),
      format(report.rateLimited),
      seconds(report.latencyMs.p50),
      seconds(report.latencyMs.p99),
      seconds(report.waitingMs.p50),
      seconds(report.waitingMs.p99)
    ])
  ])

const renderNotServed = (reports: ReadonlyArray<SimulationReport>): string =>
  textTable([
    ["strategy", "not served", "limits overrun"],
    ...reports.map(({ overLimit, refused, strategy }) => [strategy, refusals(refused), overLimit.join(", ") || "none"])
  ])

const render = ({ strategies: compared, workload }: CompareReport): string => {
  const { minutes, requests, seed, source } = workload
  const limits = demoVendors.map(({ name, requestLimit, tokenLimit }) =>
    `${name} ${format(requestLimit)} requests and ${format(tokenLimit)} tokens a minute`
  )
  const violations = compared.flatMap(({ strategy, violations }) => violations.map((each) => `${strategy}: ${each}`))
  const pct = new Map(compared.map((report): [SimulationReport, number] => [report, report.ofBoundPct]))
  return [
    `${format(requests)} requests in ${minutes} minutes (${source}, seed ${seed}), simulated on virtual time`,
    `${limits.join("; ")}; at most ${maxWaitSeconds} s of waiting a request; estimates off by a tenth`,
    "",
    renderRows(compared, (report) => `${(pct.get(report) ?? 0).toFixed(1)} %`),
    "",
    renderNotServed(compared),
    ...(violations.length === 0 ? [] : ["", "Violated invariants:", ...violations.map((each) => `  ${each}`)]),
    ""
  ].join("\n")
}

const pctOf = (served: number, bound: number): number => bound === 0 ? 100 : Math.round(served / bound * 10_000) / 100

export const compare = (options: CompareOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const { source, workload } = yield* loadWorkload(options)
    const screen = yield* openScreen(!options.json)
    const all = Object.values(strategies)
    const reports: Array<SimulationReport> = []
    for (const strategy of all) {
      const title = `${strategy.name}: ${reports.length + 1} of ${all.length} strategies`
      yield* screen.draw(title, reports.length / all.length, renderRows(reports, () => "–"))
      // A simulation runs in one go: between two of them the terminal and the interrupt key have their turn.
      yield* Effect.sleep(0)
      reports.push(
        yield* simulate({
          workload,
          vendors,
          strategy,
          seed: options.seed,
          maxWait: maxWaitSeconds * 1000,
          estimates: { sigma: estimateError }
        })
      )
    }
    const bound = reports.find(({ strategy }) => strategy === strategies.bound.name)?.served ?? 0
    const report: CompareReport = {
      workload: { source, requests: workload.length, minutes: minutesOf(workload), seed: options.seed },
      vendors,
      maxWaitSeconds,
      estimateError,
      strategies: reports.map((each) => ({ ...each, ofBoundPct: pctOf(each.served, bound) }))
    }
    yield* screen.close
    if (reports.some(({ violations }) => violations.length > 0)) yield* Effect.sync(() => process.exitCode = 1)
    yield* Console.log(options.json ? JSON.stringify(report, null, 2) : render(report))
    return report
  }))

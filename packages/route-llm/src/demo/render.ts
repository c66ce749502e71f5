import type { RouterStatus } from "@route-llm/core"
import type { Counts } from "@route-llm/providers/testing"
import { Option } from "effect"
import type { DemoReport, StrategyReport } from "./report.ts"
import { format, refusals, seconds, table } from "./text.ts"
import { demoVendors } from "./vendors.ts"

const barWidth = 12

const bar = (pct: number): string => {
  const full = Math.round((Math.max(0, Math.min(100, pct)) / 100) * barWidth)
  return "█".repeat(full) + "░".repeat(barWidth - full) + ` ${Math.round(pct).toString().padStart(3)} %`
}

/** The live table: what the router knows of each provider, or for the chain, which knows nothing, the calls alone. */
export const liveTable = (
  counts: Readonly<Record<string, Counts>>,
  status: Option.Option<RouterStatus>,
  speed: number
): string =>
  table([
    ["provider", "RPM", "TPM", "headroom", "circuit", "latency", "served", "429s"],
    ...demoVendors.map(({ name, requestLimit, tokenLimit }) => {
      const row = Option.getOrUndefined(status)?.[name]
      return [
        name,
        `${row === undefined ? "–" : format(row.rpmUsed)} / ${format(requestLimit)}`,
        `${row === undefined ? "–" : format(row.tpmUsed)} / ${format(tokenLimit)}`,
        row === undefined ? "–" : bar(row.headroomPct),
        row?.circuit ?? "–",
        row === undefined ? "–" : seconds(row.avgLatencyMs * speed),
        format(counts[name]?.served ?? 0),
        format(counts[name]?.rateLimited ?? 0)
      ]
    })
  ])

const providerTable = ({ providers, strategy }: StrategyReport): string =>
  `\n${strategy}, as the vendors saw it\n\n` + table([
    ["provider", "calls", "served", "429s", "peak RPM", "peak TPM"],
    ...Object.entries(providers).map(([name, vendor]) => [
      name,
      format(vendor.calls),
      format(vendor.served),
      format(vendor.rateLimited),
      `${format(vendor.peakRequests)} / ${format(vendor.requestLimit)}`,
      `${format(vendor.peakTokens)} / ${format(vendor.tokenLimit)}`
    ])
  ])

/** The report at the end: both strategies side by side, then each vendor's own figures. */
export const renderReport = ({ strategies, workload }: DemoReport): string => {
  const row = (name: string, of: (report: StrategyReport) => string) => [name, ...strategies.map(of)]
  const sideBySide = table([
    row("", ({ strategy }) => strategy),
    row("served", ({ served }) => format(served)),
    row("not served", ({ refused }) => refusals(refused)),
    row("429s received", ({ rateLimited }) => format(rateLimited)),
    row("latency p50", ({ latencyMs }) => seconds(latencyMs.p50)),
    row("latency p99", ({ latencyMs }) => seconds(latencyMs.p99)),
    row("waiting p50", ({ waitingMs }) => seconds(waitingMs.p50)),
    row("waiting p99", ({ waitingMs }) => seconds(waitingMs.p99))
  ])
  return `${
    format(workload.requests)
  } requests in ${workload.minutes} minutes (${workload.source}, seed ${workload.seed}, `
    + `played at ${workload.speed}×)\n\n${sideBySide}\n${strategies.map(providerTable).join("\n")}\n`
}

/**
 * Traffic to send: when each request comes, how long it is and how long its answer will be. From a recorded trace in
 * the format of the Azure Public Dataset, or made by a generator that is fitted to one.
 *
 * @since 0.1.0
 */
import { Array as Arr, Duration, Either, Utils } from "effect"
import { InvalidConfig } from "../RouterError.ts"
import { normal } from "./internal/draws.ts"

/** One request of a workload; `atMs` counts from the workload's start. @since 0.1.0 */
export interface WorkloadRequest {
  readonly atMs: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** In order of time. @since 0.1.0 */
export type Workload = ReadonlyArray<WorkloadRequest>

/**
 * What the generator is fitted to: one hour of a production conversation service, `AzureLLMInferenceTrace_conv`
 * (P. Patel et al., "Splitwise", ISCA 2024; CC-BY). Quantiles of tokens; mean and spread of requests a minute.
 */
const fitted = {
  perMinute: 332,
  /** Standard deviation of the logarithm of the rate, and its correlation from one minute to the next. */
  rateSigma: 0.21,
  rateMemory: 0.83,
  input: [
    [0, 5],
    [0.01, 29],
    [0.05, 181],
    [0.1, 207],
    [0.25, 396],
    [0.5, 1020],
    [0.75, 1189],
    [0.9, 2735],
    [0.95, 4083],
    [0.99, 4142],
    [1, 6212]
  ],
  output: [
    [0, 5],
    [0.01, 16],
    [0.05, 41],
    [0.1, 54],
    [0.25, 85],
    [0.5, 129],
    [0.75, 395],
    [0.9, 424],
    [0.95, 451],
    [0.99, 601],
    [1, 1000]
  ]
} as const

const minuteMs = 60_000

type Quantiles = ReadonlyArray<readonly [share: number, tokens: number]>

/** The tokens at this share, between the quantiles along a straight line. */
const quantile = (quantiles: Quantiles, share: number): number => {
  const upper = Math.max(1, quantiles.findIndex(([at]) => at >= share))
  const [fromShare, from] = quantiles[upper - 1]!
  const [toShare, to] = quantiles[upper]!
  return Math.round(from + (to - from) * (share - fromShare) / (toShare - fromShare))
}

/**
 * A synthetic workload: Poisson arrivals whose rate wanders from minute to minute. The same seed gives the same
 * workload.
 *
 * @since 0.1.0
 */
export const synthetic = (options: {
  readonly seed: number
  /** Default one hour. */
  readonly duration?: Duration.DurationInput
}): Workload => {
  const random = new Utils.PCGRandom(options.seed)
  const endMs = Duration.toMillis(options.duration ?? "1 hour")
  const requests: Array<WorkloadRequest> = []
  let drift = normal(random) * fitted.rateSigma
  let minute = 0
  let atMs = 0
  for (;;) {
    const perMinute = fitted.perMinute * Math.exp(drift - fitted.rateSigma ** 2 / 2)
    atMs -= Math.log(1 - random.number()) * minuteMs / perMinute
    if (atMs >= endMs) return requests
    while (Math.floor(atMs / minuteMs) > minute) {
      minute++
      const fresh = normal(random) * fitted.rateSigma * Math.sqrt(1 - fitted.rateMemory ** 2)
      drift = drift * fitted.rateMemory + fresh
    }
    requests.push({
      atMs,
      inputTokens: quantile(fitted.input, random.number()),
      outputTokens: quantile(fitted.output, random.number())
    })
  }
}

/** `2023-11-16 18:15:46.6805900,374,44` */
const row = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?),(\d+),(\d+)$/

/**
 * Reads a trace: a header line, then `TIMESTAMP,ContextTokens,GeneratedTokens` a request. `source` names it in errors.
 *
 * @since 0.1.0
 */
export const parseTrace = (text: string, source: string): Either.Either<Workload, InvalidConfig> => {
  const requests: Array<WorkloadRequest> = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const fields = row.exec(line)
    const at = fields === null ? Number.NaN : Date.parse(`${fields[1]}T${fields[2]}Z`)
    if (fields !== null && !Number.isNaN(at)) {
      requests.push({ atMs: at, inputTokens: Number(fields[3]), outputTokens: Number(fields[4]) })
    } else if (index > 0 && line.trim() !== "") {
      const issue = `expected "2023-11-16 18:15:46.68,374,44", found "${line.slice(0, 60)}"`
      return Either.left(new InvalidConfig({ source, issues: [{ path: "row", issue, line: index + 1, column: 1 }] }))
    }
  }
  const sorted = requests.sort((a, b) => a.atMs - b.atMs)
  return Arr.isNonEmptyArray(sorted)
    ? Either.right(rebase(sorted, sorted[0].atMs))
    : Either.left(new InvalidConfig({ source, issues: [{ path: "(root)", issue: "the trace has no requests" }] }))
}

const rebase = (workload: Workload, startMs: number): Workload =>
  workload.map((request) => ({ ...request, atMs: request.atMs - startMs }))

/**
 * The span of this length that has the most requests, from its first request on.
 *
 * @since 0.1.0
 */
export const busiest = (workload: Workload, duration: Duration.DurationInput): Workload => {
  const spanMs = Duration.toMillis(duration)
  let best = { start: 0, end: 0 }
  let end = 0
  for (let start = 0; start < workload.length; start++) {
    while (end < workload.length && workload[end]!.atMs < workload[start]!.atMs + spanMs) end++
    if (end - start > best.end - best.start) best = { start, end }
  }
  return rebase(workload.slice(best.start, best.end), workload[best.start]?.atMs ?? 0)
}

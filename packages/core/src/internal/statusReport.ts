import type { ProviderState } from "../RouterState.ts"
import type { LimitStatus, ProviderStatus, RouterStatus, StatusReport, Tally } from "../Status.ts"

/** JSON has no infinity: what has no end is absent. */
const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined

const toProviderStatus = (state: ProviderState): ProviderStatus => ({
  model: state.model,
  rpmUsed: state.requestsUsed,
  rpmLimit: finite(state.requestLimit),
  tpmUsed: state.tokensUsed,
  tpmLimit: finite(state.tokenLimit),
  headroomPct: state.headroom * 100,
  circuitOpen: state.circuit === "open",
  circuit: state.circuit,
  circuitRetryAfterMs: finite(state.circuitRetryAfterMs),
  benchedForMs: finite(state.benched?.forMs),
  benchedBecause: state.benched?.because,
  avgLatencyMs: state.latencyMs,
  avgFirstTokenMs: state.firstTokenMs,
  latencyIsPrior: state.latencyIsPrior,
  firstTokenIsPrior: state.firstTokenIsPrior,
  inFlight: state.inFlight,
  limits: Object.fromEntries(state.limits.map(({ dimension, ...limit }): [string, LimitStatus] => [dimension, limit])),
  dryInMs: state.dryInMs,
  lastError: state.lastError
})

export const toStatus = (states: ReadonlyArray<ProviderState>): RouterStatus =>
  Object.fromEntries(states.map((state): [string, ProviderStatus] => [state.name, toProviderStatus(state)]))

/** The report over what the state and the router's tally say. */
export const toReport = (
  states: ReadonlyArray<ProviderState>,
  { tally, ...rest }: Pick<StatusReport, "timestamp" | "startedAt" | "waiting" | "state"> & { readonly tally: Tally }
): StatusReport => {
  const providers = states.map((state) => ({ name: state.name, ...toProviderStatus(state) }))
  const sum = (of: "inFlight" | "rpmUsed" | "tpmUsed") => providers.reduce((total, each) => total + each[of], 0)
  return {
    version: 1,
    ...rest,
    providers,
    totals: { ...tally, inFlight: sum("inFlight"), rpmUsed: sum("rpmUsed"), tpmUsed: sum("tpmUsed") }
  }
}

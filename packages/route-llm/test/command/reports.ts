import type { StatusReport } from "@route-llm/core"

type Row = StatusReport["providers"][number]

/** A provider on a good day. */
export const row = (changes: Partial<Row> = {}): Row => ({
  name: "openai",
  model: "gpt-5.4",
  rpmUsed: 312,
  rpmLimit: 500,
  tpmUsed: 120_334,
  tpmLimit: 200_000,
  headroomPct: 37.6,
  circuitOpen: false,
  circuit: "closed",
  avgLatencyMs: 1234,
  avgFirstTokenMs: 420,
  inFlight: 4,
  limits: {
    requests: { used: 312, limit: 500, learned: false },
    tokens: { used: 120_334, limit: 200_000, learned: false }
  },
  ...changes
})

export const report = (...providers: ReadonlyArray<Row>): StatusReport => ({
  version: 1,
  timestamp: 1_800_000_000_000,
  startedAt: 1_800_000_000_000 - 7_500_000,
  providers,
  waiting: { high: 1, normal: 9, low: 2 },
  totals: {
    requests: 1210,
    served: 1180,
    failed: 20,
    cancelled: 4,
    fallbacks: 31,
    inputTokens: 1_200_000,
    outputTokens: 300_000,
    inFlight: 6,
    rpmUsed: 400,
    tpmUsed: 200_000
  }
})

/** One of each thing that can be the matter. */
export const badDay = report(
  row({ dryInMs: 41_000 }),
  row({
    name: "anthropic",
    model: "claude-sonnet-5-5",
    rpmUsed: 50,
    rpmLimit: 50,
    headroomPct: 0,
    circuit: "open",
    circuitOpen: true,
    circuitRetryAfterMs: 12_300,
    lastError: { class: "overloaded", agoMs: 3_000 }
  }),
  row({
    name: "gemini",
    benchedForMs: 3_600_000,
    benchedBecause: "quota",
    limits: {
      requests: { used: 3, limit: 10, learned: true },
      requestsPerDay: { used: 250, limit: 250, learned: false }
    },
    rpmUsed: 3,
    rpmLimit: 10,
    tpmLimit: undefined
  }),
  row({ name: "groq", circuit: "half_open", headroomPct: 22, inFlight: 0 }),
  row({ name: "local", circuit: "open", circuitOpen: true, rpmLimit: undefined, tpmLimit: undefined, limits: {} })
)

/**
 * One item of a batch that `settle` applies, as a row of numbers; what does not apply is NaN.
 */
export const itemNames = [
  // 0 unused, 1 ended, 2 adopt a reservation, 3 force open, 4 force closed, 5 count in the window, 6 count in the day.
  "kind",
  // Its number among all that this instance has ever told: whatever is told twice counts once.
  "number",
  // Which of the keys is the provider's.
  "key",
  // The birth of the state that granted it.
  "born",
  "inputTokens",
  "outputTokens",
  "reservedAtMs",
  "epoch",
  "estimated",
  "streams",
  "requests",
  "dayRequests",
  "input",
  "output",
  "refused",
  "firstTokenMs",
  "latencyMs",
  "learnInput",
  "learnOutput",
  "result",
  // 0: it has not; else one more than the number of the class.
  "failed",
  "lateMs",
  "benchMs",
  "because",
  "guessed",
  "endsBench",
  // Which of the keys is the session's pin; 0: none.
  "pin",
  "charges",
  "hasCountable",
  "readings",
  // The declared limits, in the order of the meters.
  "requestsLimit",
  "tokensLimit",
  "inputTokensLimit",
  "outputTokensLimit",
  "requestsPerDayLimit",
  "tokensPerDayLimit",
  "concurrentLimit"
] as const

export type ItemName = typeof itemNames[number]

export const itemFields = Object.fromEntries(
  itemNames.map((name, index) => [name, index])
) as Readonly<Record<ItemName, number>> // keys of these very names

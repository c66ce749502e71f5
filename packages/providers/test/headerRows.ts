/** Rate-limit headers as vendors send them, and what they say. Sets marked "seen" were copied from live answers. */
import type { LimitReading } from "@route-llm/core"
import type { AdapterName } from "../src/index.ts"

type Row = readonly [
  name: string,
  adapter: AdapterName,
  headers: Readonly<Record<string, string>>,
  expected: ReadonlyArray<LimitReading> | undefined
]

/** When all of it was said. */
export const nowMs = Date.UTC(2025, 7, 21, 12, 41)

const groq = {
  "x-ratelimit-limit-requests": "14400",
  "x-ratelimit-limit-tokens": "18000",
  "x-ratelimit-remaining-requests": "14370",
  "x-ratelimit-remaining-tokens": "17997",
  "x-ratelimit-reset-requests": "2m59.56s",
  "x-ratelimit-reset-tokens": "7.66s"
}

const groqSays: ReadonlyArray<LimitReading> = [
  { dimension: "requestsPerDay", limit: 14_400, remaining: 14_370, resetMs: 179_560 },
  { dimension: "tokens", limit: 18_000, remaining: 17_997, resetMs: 7_660 }
]

const one = (field: string, value: string) => ({
  "x-ratelimit-limit-requests": "500",
  "x-ratelimit-remaining-requests": "499",
  "x-ratelimit-reset-requests": "1s",
  [`x-ratelimit-${field}-requests`]: value
})

export const headerRows: ReadonlyArray<Row> = [
  [
    "OpenAI's guide",
    "openai",
    {
      "x-ratelimit-limit-requests": "60",
      "x-ratelimit-limit-tokens": "150000",
      "x-ratelimit-remaining-requests": "59",
      "x-ratelimit-remaining-tokens": "149984",
      "x-ratelimit-reset-requests": "1s",
      "x-ratelimit-reset-tokens": "6m0s"
    },
    [
      { dimension: "requests", limit: 60, remaining: 59, resetMs: 1_000 },
      { dimension: "tokens", limit: 150_000, remaining: 149_984, resetMs: 360_000 }
    ]
  ],
  [
    "OpenAI, a project with less left than its organisation",
    "openai",
    {
      "x-ratelimit-limit-tokens": "200000",
      "x-ratelimit-remaining-tokens": "150000",
      "x-ratelimit-reset-tokens": "15s",
      "x-ratelimit-limit-project-tokens": "60000",
      "x-ratelimit-remaining-project-tokens": "57000",
      "x-ratelimit-reset-project-tokens": "123ms"
    },
    [{ dimension: "tokens", limit: 60_000, remaining: 57_000, resetMs: 123 }]
  ],
  [
    "OpenAI, a project with more left",
    "openai",
    {
      "x-ratelimit-limit-tokens": "200000",
      "x-ratelimit-remaining-tokens": "150000",
      "x-ratelimit-limit-project-tokens": "1000000",
      "x-ratelimit-remaining-project-tokens": "990000"
    },
    [{ dimension: "tokens", limit: 200_000, remaining: 150_000 }]
  ],
  [
    "Azure, what remains only, in plain seconds",
    "openai",
    {
      "x-ratelimit-remaining-requests": "249",
      "x-ratelimit-remaining-tokens": "249885",
      "x-ratelimit-reset-requests": "10"
    },
    [
      { dimension: "requests", remaining: 249, resetMs: 10_000 },
      { dimension: "tokens", remaining: 249_885 }
    ]
  ],
  ["Groq's guide", "groq", groq, groqSays],
  ["Groq through the openai adapter, told by its region", "openai", { ...groq, "x-groq-region": "fra" }, groqSays],
  [
    "Anthropic, seen: the sum of both is no third limit, and what is full has reset already",
    "anthropic",
    {
      date: "Thu, 21 Aug 2025 12:41:00 GMT",
      "anthropic-ratelimit-input-tokens-limit": "80000",
      "anthropic-ratelimit-input-tokens-remaining": "80000",
      "anthropic-ratelimit-input-tokens-reset": "2025-08-21T12:40:59Z",
      "anthropic-ratelimit-output-tokens-limit": "16000",
      "anthropic-ratelimit-output-tokens-remaining": "15000",
      "anthropic-ratelimit-output-tokens-reset": "2025-08-21T12:41:04Z",
      "anthropic-ratelimit-requests-limit": "1000",
      "anthropic-ratelimit-requests-remaining": "999",
      "anthropic-ratelimit-requests-reset": "2025-08-21T12:40:59Z",
      "anthropic-ratelimit-tokens-limit": "96000",
      "anthropic-ratelimit-tokens-remaining": "95000",
      "anthropic-ratelimit-tokens-reset": "2025-08-21T12:40:59Z"
    },
    [
      { dimension: "requests", limit: 1_000, remaining: 999, resetMs: 0 },
      { dimension: "inputTokens", limit: 80_000, remaining: 80_000, resetMs: 0 },
      { dimension: "outputTokens", limit: 16_000, remaining: 15_000, resetMs: 4_000 }
    ]
  ],
  [
    "Anthropic, one limit on tokens; a subscription's are of no dimension",
    "anthropic",
    {
      "anthropic-ratelimit-tokens-limit": "50000",
      "anthropic-ratelimit-tokens-remaining": "49500",
      "anthropic-ratelimit-tokens-reset": "2025-08-21T14:41:30.250+02:00",
      "anthropic-ratelimit-unified-5h-utilization": "0.4",
      "anthropic-ratelimit-unified-reset": "1755781200"
    },
    [{ dimension: "tokens", limit: 50_000, remaining: 49_500, resetMs: 30_250 }]
  ],
  [
    "Mistral, seen in 2025",
    "openai",
    {
      "x-ratelimitbysize-remaining-minute": "467993",
      "ratelimitbysize-query-cost": "32007",
      "ratelimitbysize-limit": "500000",
      "ratelimitbysize-reset": "40",
      "x-ratelimitbysize-limit-month": "1000000000",
      "x-ratelimitbysize-remaining-month": "999900000",
      "ratelimitbysize-remaining": "467993",
      "x-ratelimitbysize-limit-minute": "500000"
    },
    [{ dimension: "tokens", limit: 500_000, remaining: 467_993, resetMs: 40_000 }]
  ],
  [
    "Mistral, seen in 2026",
    "openai",
    {
      "x-ratelimit-limit-req-minute": "60",
      "x-ratelimit-limit-tokens-minute": "50000",
      "x-ratelimit-limit-tokens-month": "4000000",
      "x-ratelimit-remaining-req-minute": "59",
      "x-ratelimit-remaining-tokens-minute": "47196",
      "x-ratelimit-remaining-tokens-month": "3950246",
      "x-ratelimit-tokens-query-cost": "2804"
    },
    [
      { dimension: "requests", limit: 60, remaining: 59 },
      { dimension: "tokens", limit: 50_000, remaining: 47_196 }
    ]
  ],
  [
    "Mistral, seen on a 429 of a key without allowance",
    "openai",
    { "x-ratelimit-limit-req-minute": "0", "x-ratelimit-remaining-req-minute": "0" },
    undefined
  ],
  [
    "Cerebras",
    "openai",
    {
      "x-ratelimit-limit-requests-day": "14400",
      "x-ratelimit-limit-tokens-minute": "60000",
      "x-ratelimit-remaining-requests-day": "14399",
      "x-ratelimit-remaining-tokens-minute": "59000",
      "x-ratelimit-reset-requests-day": "33011.382867",
      "x-ratelimit-reset-tokens-minute": "11.38"
    },
    [
      { dimension: "tokens", limit: 60_000, remaining: 59_000, resetMs: 11_380 },
      { dimension: "requestsPerDay", limit: 14_400, remaining: 14_399, resetMs: 33_011_383 }
    ]
  ],
  [
    "OpenRouter's day, by how far it is off",
    "openai",
    { "x-ratelimit-limit": "50", "x-ratelimit-remaining": "0", "x-ratelimit-reset": `${nowMs + 7_200_000}` },
    [{ dimension: "requestsPerDay", limit: 50, remaining: 0, resetMs: 7_200_000 }]
  ],
  [
    "OpenRouter's minute",
    "openai",
    { "x-ratelimit-limit": "20", "x-ratelimit-remaining": "3", "x-ratelimit-reset": `${nowMs + 21_000}` },
    [{ dimension: "requests", limit: 20, remaining: 3, resetMs: 21_000 }]
  ],
  [
    "the same names without an epoch, which are anyone's",
    "openai",
    { "x-ratelimit-limit": "10", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "1" },
    undefined
  ],
  [
    "an epoch in seconds",
    "openai",
    one("reset", `${nowMs / 1_000 + 30}`),
    [{ dimension: "requests", limit: 500, remaining: 499, resetMs: 30_000 }]
  ],
  ["none", "openai", { "content-type": "application/json", "x-request-id": "req_1" }, undefined],

  [
    "a limit that stands for none",
    "openai",
    { ...one("limit", "-1"), ...one("remaining", "0"), ...one("limit", "-1") },
    undefined
  ],
  ["a limit that came twice", "openai", one("limit", "500, 500"), undefined],
  ["a limit in words", "openai", one("limit", "unlimited"), undefined],
  ["no remaining", "openai", one("remaining", ""), [{ dimension: "requests", limit: 500, resetMs: 1_000 }]],
  ["a negative remaining", "openai", one("remaining", "-7"), [{ dimension: "requests", limit: 500, resetMs: 1_000 }]],
  ["a remaining in hex", "openai", one("remaining", "0x1f"), [{ dimension: "requests", limit: 500, resetMs: 1_000 }]],
  [
    "more left than there is",
    "openai",
    one("remaining", "9000"),
    [{ dimension: "requests", limit: 500, remaining: 500, resetMs: 1_000 }]
  ],
  [
    "a fraction left",
    "openai",
    one("remaining", "3.99"),
    [{ dimension: "requests", limit: 500, remaining: 3, resetMs: 1_000 }]
  ],
  ["a reset of no form", "openai", one("reset", "soon"), [{ dimension: "requests", limit: 500, remaining: 499 }]],
  ["a negative reset", "openai", one("reset", "-5s"), [{ dimension: "requests", limit: 500, remaining: 499 }]],
  ["a date that is none", "openai", one("reset", "2025-99-99T12:00:00Z"), [
    { dimension: "requests", limit: 500, remaining: 499 }
  ]],
  [
    "a reset in years",
    "openai",
    one("reset", "2031-01-01T00:00:00Z"),
    [{ dimension: "requests", limit: 500, remaining: 499, resetMs: 86_400_000 }]
  ],
  ["only a reset", "openai", { "x-ratelimit-reset-requests": "1s" }, undefined]
]

/** "…reset" as vendors write it, in ms. */
export const resets: ReadonlyArray<readonly [string, number | undefined]> = [
  ["0s", 0],
  ["123ms", 123],
  ["147.5ms", 148],
  ["1s", 1_000],
  ["7.66s", 7_660],
  ["6m0s", 360_000],
  ["2m59.56s", 179_560],
  ["1h0m5s", 3_605_000],
  ["6.780999999s", 6_781],
  ["60", 60_000],
  ["0.5", 500],
  ["1m", 60_000],
  ["m", undefined],
  ["1x", undefined],
  ["1s2", undefined],
  ["", undefined]
]

import type { Dimension, Limits } from "../../src/RateLimit.ts"
import { settings } from "./support.ts"

export interface Counted {
  readonly atMs: number
  readonly requests: number
  readonly input: number
  readonly output: number
}

/** What a limit counts, over which span, and by how much the ledger's buckets may be too long. */
interface Rule {
  readonly of: (each: Omit<Counted, "atMs">) => number
  readonly spanMs: number
  readonly bucketMs: number
}

const minute = { spanMs: settings.window, bucketMs: settings.window / settings.buckets }
const day = { spanMs: 86_400_000, bucketMs: 600_000 }

export type Counting = Exclude<Dimension, "concurrent">

export const rules: { readonly [Name in Counting]: Rule } = {
  requests: { of: ({ requests }) => requests, ...minute },
  tokens: { of: ({ input, output }) => input + output, ...minute },
  inputTokens: { of: ({ input }) => input, ...minute },
  outputTokens: { of: ({ output }) => output, ...minute },
  requestsPerDay: { of: ({ requests }) => requests, ...day },
  tokensPerDay: { of: ({ input, output }) => input + output, ...day }
}

/** A vendor that knows nothing of buckets: every amount is kept with its exact time. */
export class ExactVendor {
  readonly #counted: Array<Counted> = []

  /** The dimensions that have a limit. */
  readonly limited: ReadonlyArray<Counting>

  constructor(readonly limits: Limits) {
    this.limited = (Object.keys(limits) as Array<keyof Limits>).filter((name) => name !== "concurrent")
  }

  count(counted: Counted): void {
    this.#counted.push(counted)
  }

  /** What was counted in the span of so long that ends at `endMs`, its beginning left out. */
  within({ of }: Rule, endMs: number, ms: number): number {
    return this.#counted
      .filter(({ atMs }) => atMs > endMs - ms && atMs <= endMs)
      .reduce((sum, each) => sum + of(each), 0)
  }

  /** The most that any span of the rule's length holds. */
  peak({ of, spanMs }: Rule): number {
    const inOrder = [...this.#counted].sort((a, b) => a.atMs - b.atMs)
    let [peak, sum, first] = [0, 0, 0]
    for (const each of inOrder) {
      sum += of(each)
      for (; inOrder[first]!.atMs <= each.atMs - spanMs; first++) sum -= of(inOrder[first]!)
      peak = Math.max(peak, sum)
    }
    return peak
  }
}

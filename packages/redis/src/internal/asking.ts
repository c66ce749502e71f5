/**
 * One request's question to Redis: who of these may take it? One round trip; two where there are more than sixteen
 * candidates and none of the best sixteen has room.
 */
import type { Decision, Demand, Reservation } from "@route-llm/core"
import type { ProviderLedger } from "@route-llm/core/kernel"
import { Effect } from "effect"
import { unusedItem } from "./Batch.ts"
import type { Instance } from "./Instance.ts"
import { StoreFailure } from "./Store.ts"

/** `Away`: Redis has not answered, or its answer is not to be trusted. */
export type Asked = Decision | { readonly _tag: "Away" }

const away: Asked = { _tag: "Away" }

/** Candidates that are asked at once; a session's provider may be any, so with a session all are. */
const shortList = 16

/** `held`: what the line has taken for it here. */
export const ask = (instance: Instance, demand: Demand, taken: Reservation | undefined): Effect.Effect<Asked> =>
  Effect.async((resume) => {
    const { mirror } = instance
    if (instance.phase === "away") {
      mirror.withdraw(taken)
      return resume(Effect.succeed(away))
    }
    const { candidates, held } = mirror.quote(demand, taken, instance.nowMs)
    const end = (asked: Asked) => resume(Effect.succeed(asked))

    const refuse = () => {
      mirror.follow(mirror.specs, instance.nowMs)
      end(mirror.ledger.refused(demand))
    }

    const askSome = (some: ReadonlyArray<ProviderLedger>, rest: ReadonlyArray<ProviderLedger>) => {
      const lease = instance.nextId()
      const isLast = rest.length === 0 && (some === candidates || mirror.ledger.lastResortAtMs(demand) < Infinity)
      instance.ask({
        demand,
        candidates: some.map((ledger) => ({
          ledger,
          spec: ledger.spec,
          place: mirror.ledger.providers.indexOf(ledger),
          input: ledger.needsInput,
          output: ledger.needsOutput
        })),
        lease,
        mayBeLast: isLast && demand.lastResort !== false,
        held,
        done: (answer) => {
          if (answer instanceof StoreFailure) {
            instance.batches.add(unusedItem(lease, instance.born))
            instance.onFailure(answer)
            return end(away)
          }
          if (answer !== undefined) return end({ _tag: "Granted", reservation: answer })
          if (rest.length > 0) return askRest(rest)
          refuse()
        }
      })
    }

    const askRest = (rest: ReadonlyArray<ProviderLedger>) => {
      mirror.follow(mirror.specs, instance.nowMs)
      for (const provider of rest) provider.quote(demand)
      askSome(rest, [])
    }

    if (candidates.length === 0) {
      mirror.withdraw(held)
      return refuse()
    }
    const first = demand.sessionId === undefined ? candidates.slice(0, shortList) : candidates
    if (first.length === candidates.length) askSome(candidates, [])
    else askSome(first, candidates.slice(first.length))
  })

/** A state whose talk with Redis is in the test's hand. */
import { makeOverClient } from "../../src/internal/makeOverClient.ts"
import type { OptionsInput } from "../../src/internal/options.ts"
import { makeRedisState } from "../../src/internal/redisState.ts"
import type { RedisClient } from "../../src/internal/Store.ts"

interface Tap {
  /** A script is sent. */
  readonly sent?: () => void
  /** An answer has come, and is read once `read` is called. */
  readonly answered?: (read: () => void) => void
  /** What another instance has published was read. */
  readonly heard?: () => void
}

export const tapped = (
  client: RedisClient,
  options: OptionsInput,
  { answered = (read) => read(), heard = () => {}, sent = () => {} }: Tap
) =>
  makeOverClient(client, options, "server", (parts) =>
    makeRedisState({
      ...parts,
      subscribe: (hear) =>
        parts.subscribe((message) => {
          hear(message)
          if (!message.includes(parts.id)) heard()
        }),
      store: {
        ...parts.store,
        run: (script, keys, args, done) => {
          sent()
          parts.store.run(script, keys, args, (answer) => answered(() => done(answer)))
        }
      }
    }))

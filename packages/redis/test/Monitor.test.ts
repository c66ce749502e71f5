/** What a request asks of Redis while its caller waits, as Redis itself saw it. */
import { RouterStateRedis } from "@route-llm/redis"
import { Effect, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { answering, startInstance } from "./rigs/instances.ts"
import { type MonitoredCommand, redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const isScript = ({ name, source }: MonitoredCommand): boolean =>
  source !== "lua" && (name === "EVALSHA" || name === "EVAL")

describe.skipIf(skips("own"))("Redis", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  it("is asked exactly once before the vendor is called", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const { client, monitor, url } = rig()
      /** A word in Redis' own order of things, from a connection beside the router's. */
      const mark = (word: string) => Effect.promise(() => client.echo(word))
      const { chat } = yield* startInstance(
        RouterStateRedis.layer({ url, namespace: "monitor" }),
        [answering("a", { called: mark("vendor called") })]
      )
      // What the first requests left to do behind them has been done by now.
      yield* chat
      const commands = yield* monitor
      yield* mark("asked")
      yield* chat
      yield* mark("answered")
      const seen = yield* commands.pipe(
        Stream.takeUntil(({ args }) => args[0] === "answered"),
        Stream.runCollect,
        Effect.map((all) => [...all])
      )
      const at = (word: string) => seen.findIndex(({ args }) => args[0] === word)
      const before = seen.slice(at("asked") + 1, at("vendor called"))
      expect(before.filter(({ source }) => source !== "lua").map(({ name }) => name)).toEqual(["EVALSHA"])
      expect(before.filter(isScript)).toHaveLength(1)
    }))))
})

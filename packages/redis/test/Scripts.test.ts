/** What the scripts do with what arrives late, or twice: networks and clients see to both. */
import { countEverything, RouterOptions } from "@route-llm/core"
import { fields } from "@route-llm/core/kernel"
import { Context } from "effect"
import { describe, expect, it } from "vitest"
import { makeKeys } from "../src/internal/keys.ts"
import { layoutOf, makeScripts, type Script } from "../src/internal/scripts.ts"
import { encodeItem, encodeProviders, encodeQuestion } from "../src/internal/wire.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const layout = layoutOf(60)
const scripts = makeScripts(Context.get(Context.empty(), RouterOptions), layout, "server")
const keys = makeKeys({ namespace: "scripts", windowMs: 60_000, buckets: 60 })
const provider = keys.provider({ name: "a", model: "m" })
const leases = keys.leases("me")

/** Nothing declared. */
const limits = encodeProviders([{ name: "a", model: "m", limits: {}, weight: 1, counting: countEverything }])
/** Ten tokens in, twenty out, of the first and only provider. */
const request = encodeQuestion([1, 1, 0, 0, 1], [[1, 10, 20, 0]])

const soon = String(Date.now() + 600_000)

describe.skipIf(skips("own"))("the scripts", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  /** The first row of what the script answers. */
  const run = async ({ text }: Script, all: ReadonlyArray<string>, args: ReadonlyArray<string | Buffer>) => {
    const reply = await rig().client.callBuffer("eval", [text, String(all.length), ...all, ...args])
    const main: unknown = Array.isArray(reply) ? reply[0] : undefined
    if (!Buffer.isBuffer(main)) throw new Error("no row of figures")
    return Array.from({ length: 7 }, (_, at) => at * 8 < main.length ? main.readDoubleLE(at * 8) : Number.NaN)
  }

  const beat = async (): Promise<number> => {
    const all = [keys.meta, leases, keys.waiting, provider, keys.instances]
    const [, born = Number.NaN] = await run(scripts.snapshot, all, ["me", "1", "100", "10000", "0", "-1", "a"])
    return born
  }

  /** The code: 0 asked, 1 late, 2 of another birth; then who was chosen. */
  const reserve = async (lease: string, born: number, deadline = soon) => {
    const args = ["me", "1", deadline, String(born), "0", limits, request, "a", lease]
    const [, , code, , chosen] = await run(scripts.reserve, [keys.meta, leases, keys.waiting, provider], args)
    return [code, chosen]
  }

  const settle = (lease: string, born: number, number: number) =>
    run(scripts.settle, [keys.meta, leases, keys.waiting, provider], [
      "me",
      "1",
      "0",
      String(born),
      lease,
      encodeItem({
        kind: 1,
        key: 4,
        number,
        pin: 0,
        inputTokens: 10,
        outputTokens: 20,
        reservedAtMs: Date.now(),
        epoch: 0,
        requests: 1,
        dayRequests: 1,
        input: 5,
        output: 7,
        refused: 0,
        result: 1,
        failed: 0,
        benchMs: 0,
        endsBench: 0,
        readings: 0
      }),
      "a"
    ])

  const held = async () => {
    const row = await rig().client.getBuffer(provider)
    const at = (name: keyof typeof fields) => row?.readDoubleLE(fields[name] * 8)
    return { inFlight: at("inFlightRequests"), requests: at("requests"), output: at("output") }
  }

  it("take nothing for who does not wait any more, or knows another state", async () => {
    const born = await beat()
    expect(await reserve("l1", born, "1000")).toEqual([1, NaN])
    expect(await reserve("l1", born + 1)).toEqual([2, NaN])
    expect(await held()).toEqual({ inFlight: 0, requests: 0, output: 0 })
    expect(await reserve("l1", born)).toEqual([0, 1])
    expect(await held()).toEqual({ inFlight: 1, requests: 0, output: 0 })
  })

  it("grant one lease once, however often it is asked for", async () => {
    const born = await beat()
    expect([await reserve("l1", born), await reserve("l1", born), await reserve("l2", born)]).toEqual([
      [0, 1],
      [0, 1],
      [0, 1]
    ])
    expect(await held()).toEqual({ inFlight: 2, requests: 0, output: 0 })
  })

  it("count what is told twice once, with a lease and without", async () => {
    const born = await beat()
    await reserve("l1", born)
    await settle("l1", born, 1)
    await settle("l1", born, 1)
    expect(await held()).toEqual({ inFlight: 0, requests: 1, output: 7 })
    // Granted by the instance itself while Redis was away: no lease holds it.
    await settle("own", born, 2)
    await settle("own", born, 2)
    expect(await held()).toEqual({ inFlight: 0, requests: 2, output: 14 })
  })
})

/** What the scripts do with what arrives late, or twice: networks and clients see to both. */
import { RouterOptions } from "@route-llm/core"
import { fields } from "@route-llm/core/kernel"
import { Context } from "effect"
import { describe, expect, it } from "vitest"
import { makeKeys } from "../src/internal/keys.ts"
import { layoutOf, makeScripts, type Script } from "../src/internal/scripts.ts"
import { encodeItem } from "../src/internal/wire.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const layout = layoutOf(60)
const scripts = makeScripts(Context.get(Context.empty(), RouterOptions), layout, "server")
const keys = makeKeys({ namespace: "scripts", windowMs: 60_000, buckets: 60 })
const provider = keys.provider({ name: "a", model: "m" })
const leases = keys.leases("me")

/** Ten tokens in, twenty out, nothing declared. */
const candidate = Buffer.alloc(11 * 8)
;[10, 20, 0, 0, ...Array.from({ length: 7 }, () => Infinity)].forEach((value, at) =>
  candidate.writeDoubleLE(value, at * 8)
)

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
    const all = [keys.meta, keys.instances, leases, keys.waiting, provider]
    const [, born = Number.NaN] = await run(scripts.snapshot, all, ["me", "100", "10000", "0", "a"])
    return born
  }

  /** Its code: 0 refused, 1 granted, 2 late, 3 of another birth. */
  const reserve = async (lease: string, born: number, deadline = soon) => {
    const args = ["me", lease, deadline, "10100", candidate, String(born), "a"]
    const [, , code] = await run(scripts.reserve, [keys.meta, leases, keys.waiting, provider], args)
    return code
  }

  const settle = (lease: string, born: number, number: number) =>
    run(scripts.settle, [keys.meta, leases, keys.waiting, provider], [
      "me",
      "0",
      "1",
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
    expect(await reserve("l1", born, "1000")).toBe(2)
    expect(await reserve("l1", born + 1)).toBe(3)
    expect(await held()).toEqual({ inFlight: 0, requests: 0, output: 0 })
    expect(await reserve("l1", born)).toBe(1)
    expect(await held()).toEqual({ inFlight: 1, requests: 0, output: 0 })
  })

  it("grant one lease once, however often it is asked for", async () => {
    const born = await beat()
    expect([await reserve("l1", born), await reserve("l1", born), await reserve("l2", born)]).toEqual([1, 1, 1])
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

/** What the scripts do with what arrives late, or twice: networks and clients see to both. */
import { countEverything, RouterOptions } from "@route-llm/core"
import { fields } from "@route-llm/core/kernel"
import { Context } from "effect"
import { describe, expect, it } from "vitest"
import { makeKeys } from "../src/internal/keys.ts"
import { layoutOf, makeScripts, olderState, type Script } from "../src/internal/scripts.ts"
import { asRow, encodeItem, encodeProvider, firstProviderKey, rowOfDoubles } from "../src/internal/wire.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const layout = layoutOf(60)
const scripts = makeScripts(Context.get(Context.empty(), RouterOptions), layout, "server")
const keys = makeKeys({ namespace: "scripts", windowMs: 60_000, buckets: 60 })
const provider = keys.provider({ name: "a", model: "m" })
const leases = keys.leases("me")

/** Nothing declared. */
const limits = encodeProvider({ name: "a", model: "m", limits: {}, weight: 1, counting: countEverything })

/** Ten tokens in, twenty out, of the first and only provider. */
const request = rowOfDoubles(1, 1, 0, 0, 1, 1, 10, 20, 0)

const soon = Date.now() + 600_000

const asking = ({ declared = limits, requests = 1, taken = -1, untilMs = soon }: {
  readonly untilMs?: number
  readonly taken?: number
  readonly declared?: Buffer
  readonly requests?: number
}) => Buffer.concat([rowOfDoubles(untilMs, taken, 0), declared, ...Array.from({ length: requests }, () => request)])

describe.skipIf(skips("own"))("the scripts", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  const clockKey = "clock"

  /** The same script by a clock in the test's hand. */
  const byHand = ({ text }: Script): string =>
    text.replace(/local t = call\('TIME'\)\n.*/, `local clock = tonumber(call('GET', '${clockKey}'))`)

  const all = [keys.meta, leases, keys.waiting, keys.instances, provider]

  interface Call {
    /** The birth of the state, and when the provider was made, as the instance knows them. */
    readonly born?: number
    readonly made?: number
    readonly clockMs?: number
  }

  /** The figures, and the provider's row. */
  const answer = async (script: Script, { born, clockMs, made = 0 }: Call, args: ReadonlyArray<string | Buffer>) => {
    if (clockMs !== undefined) await rig().client.set(clockKey, clockMs)
    const text = clockMs === undefined ? script.text : byHand(script)
    const first = ["me", rowOfDoubles(1, born ?? Number.NaN, Number.NaN, made)]
    const reply = await rig().client.callBuffer("eval", [text, String(all.length), ...all, ...first, ...args])
    const [figures, rows]: ReadonlyArray<unknown> = Array.isArray(reply) ? reply : []
    return { figures: asRow(figures), row: Array.isArray(rows) ? asRow(rows[0]) : undefined }
  }

  /** The first figures of what the script answers. */
  const run = async (script: Script, call: Call, args: ReadonlyArray<string | Buffer>) => {
    const { figures } = await answer(script, call, args)
    return Array.from({ length: 8 }, (_, at) => at * 8 < figures.length ? figures.readDoubleLE(at * 8) : Number.NaN)
  }

  const beat = async (call: Call = {}): Promise<number> => {
    const [, born = Number.NaN] = await run(scripts.snapshot, call, [rowOfDoubles(1, 0, 0, 0, 10_000, 0, -1)])
    return born
  }

  /** The code: 0 asked, 1 late, 2 of another birth, 3 dead; then who was chosen. */
  const reserve = async (lease: string, born: number, untilMs = soon, call: Call = {}) => {
    const [, , code, , chosen] = await run(scripts.reserve, { born, ...call }, [asking({ untilMs }), lease])
    return [code, chosen]
  }

  const settle = (lease: string, born: number, number: number, granted = born) =>
    run(scripts.settle, { born }, [
      rowOfDoubles(0, -1),
      lease,
      encodeItem({
        kind: 1,
        key: firstProviderKey,
        number,
        born: granted,
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
      })
    ])

  const held = async () => {
    const row = await rig().client.getBuffer(provider)
    const at = (name: keyof typeof fields) => row?.readDoubleLE(fields[name] * 8)
    return { inFlight: at("inFlightRequests"), requests: at("requests"), output: at("output") }
  }

  it("take nothing for who does not wait any more, or knows another state", async () => {
    const born = await beat()
    expect(await reserve("l1", born, 1_000)).toEqual([1, NaN])
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
    await settle("own", born, 2, Number.NaN)
    await settle("own", born, 2, Number.NaN)
    expect(await held()).toEqual({ inFlight: 0, requests: 2, output: 14 })
  })

  it("count a call whose settlement was overtaken by another's", async () => {
    const born = await beat()
    await reserve("l1", born)
    await reserve("l2", born)
    await settle("l2", born, 2)
    await settle("l1", born, 1)
    expect(await held()).toEqual({ inFlight: 0, requests: 2, output: 14 })
  })

  it("answer a crowd that was sent twice as the first time, with all that a refusal shows", async () => {
    const born = await beat()
    const one = encodeProvider({
      name: "a",
      model: "m",
      limits: { requests: 1 },
      weight: 1,
      counting: countEverything
    })
    const crowd = () => answer(scripts.reserve, { born }, [asking({ declared: one, requests: 2 }), "l1", "l2"])
    const [first, second] = [await crowd(), await crowd()]
    expect([32, 64].map((at) => second.figures.readDoubleLE(at))).toEqual([1, 0])
    expect(second.row?.length).toBe(layout.bytes)
    expect(second.row).toEqual(first.row)
    expect(await held()).toEqual({ inFlight: 1, requests: 0, output: 0 })
  })

  it("write nothing, and grant nothing, where Redis has gone back behind what it had taken", async () => {
    const born = await beat()
    const older = async (script: Script, args: ReadonlyArray<string | Buffer>) =>
      answer(script, { born }, args).then(() => "taken", String)
    const unused = encodeItem({ kind: 0, key: firstProviderKey, number: 9, born, pin: 0, epoch: -1 })
    expect(await older(scripts.settle, [rowOfDoubles(0, 5), "l1", unused])).toContain(olderState)
    expect(await older(scripts.reserve, [asking({ taken: 5 }), "l1"])).toContain(olderState)
    expect(await rig().client.hgetall(leases)).toEqual({ "#": "0" })
    expect(await older(scripts.settle, [rowOfDoubles(0, 0), "l1", unused])).toBe("taken")
    expect(await older(scripts.reserve, [asking({ taken: 9 }), "l1"])).toBe("taken")
  })

  it("take a provider's row that is gone for a state that is lost, whoever has met it", async () => {
    const born = await beat()
    const row = await rig().client.getBuffer(provider)
    const made = row!.readDoubleLE(fields.made * 8)
    expect(await reserve("l1", born, soon, { made })).toEqual([0, 1])
    await rig().client.del(provider)
    expect(await reserve("l2", born, soon, { made })).toEqual([2, NaN])
    // Nobody goes on with the old one, and whoever begins anew finds nothing of it.
    expect(await reserve("l3", born)).toEqual([2, NaN])
    expect(await beat()).toBeGreaterThan(born)
    expect(await held()).toEqual({ inFlight: 0, requests: 0, output: 0 })
  })

  it("take leases that are gone for a state that is lost, and who is not known any more for dead", async () => {
    const born = await beat()
    await reserve("l1", born)
    await rig().client.del(leases)
    expect(await reserve("l2", born)).toEqual([2, NaN])
    const reborn = await beat()
    expect(reborn).toBeGreaterThan(born)
    // What an earlier state held is nobody's any more.
    expect(await held()).toEqual({ inFlight: 0, requests: 0, output: 0 })
    await rig().client.del(leases, keys.instances)
    expect(await reserve("l3", reborn)).toEqual([3, NaN])
    expect(await rig().client.exists(leases)).toBe(0)
  })

  it("go on with the time where the clock jumps back, also from one moment to the next", async () => {
    const born = await beat({ clockMs: 1_000_000 })
    const times: Array<number> = []
    for (const clockMs of [1_000_100, 990_000, 990_010, 990_020, 990_100]) {
      times.push(
        (await answer(scripts.reserve, { born, clockMs }, [asking({ untilMs: Infinity }), `l${clockMs}`]))
          .figures.readDoubleLE(0)
      )
    }
    expect(times.slice(1).map((time) => time - times[1]!)).toEqual([0, 10, 20, 100])
    expect(times[1]).toBeGreaterThanOrEqual(1_000_000)
  })

  it("send one call of last resort at a time, also where the next comes in the next millisecond", async () => {
    const clockMs = 1_000_000
    const born = await beat({ clockMs })
    const out = (number: number) => encodeItem({ kind: 3, key: firstProviderKey, number, pin: 0, benchMs: 60_000 })
    await run(scripts.settle, { born, clockMs }, [rowOfDoubles(0, -1), "", out(1)])
    await rig().client.setrange(provider, fields.forced * 8, Buffer.alloc(8).toString("latin1"))
    const ask = (lease: string, atMs: number) => reserve(lease, born, Infinity, { clockMs: atMs })
    // The moment was noted just now, and is not again.
    await beat({ born, clockMs: clockMs + 4_990 })
    expect(await ask("l1", clockMs + 5_000)).toEqual([0, 1])
    // Its probe is over, and what is out again was not out before.
    await run(scripts.settle, { born, clockMs: clockMs + 5_001 }, [rowOfDoubles(0, -1), "", out(2)])
    await rig().client.setrange(provider, fields.forced * 8, Buffer.alloc(8).toString("latin1"))
    await rig().client.setrange(provider, fields.outSinceMs * 8, Buffer.alloc(8).toString("latin1"))
    expect(await ask("l2", clockMs + 5_002)).toEqual([0, 0])
  })
})

/**
 * The two usual ways to count requests and tokens a minute in Redis, for N providers, written as well as they can be, to
 * hold the layer against: what each costs, not what each is worth. Neither knows lanes, circuits, benches or leases, and
 * the naive one overshoots.
 */
import type { Redis } from "ioredis"

export interface Variant {
  readonly name: string
  /** Round trips that the caller waits for. */
  readonly trips: number
  /** Places one request of so many tokens. */
  readonly decide: (tokens: number) => Promise<void>
  /** As after a minute with so many requests in all, and no others. */
  readonly fill: (requests: number) => Promise<void>
  /** Its keys. */
  readonly keys: () => Promise<ReadonlyArray<string>>
}

const windowMs = 60_000
const requestLimit = 1e9
const tokenLimit = 1e12

const matching = (client: Redis, pattern: string) => () => client.keys(pattern)

/**
 * One sorted set a provider with an entry for each request, and its sum of tokens beside it. The provider with the most
 * left of its scarcer limit takes the request.
 */
const slide = `
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local cost, id = tonumber(ARGV[1]), ARGV[2]
local best, most
for index = 1, #KEYS, 2 do
  local log, sum = KEYS[index], KEYS[index + 1]
  local old = redis.call('ZRANGEBYSCORE', log, '-inf', now - ${windowMs})
  if #old > 0 then
    local gone = 0
    for _, entry in ipairs(old) do gone = gone + tonumber(entry:match('^%d+')) end
    redis.call('ZREMRANGEBYSCORE', log, '-inf', now - ${windowMs})
    redis.call('DECRBY', sum, gone)
  end
  local requests = redis.call('ZCARD', log)
  local tokens = tonumber(redis.call('GET', sum) or 0)
  if requests < ${requestLimit} and tokens + cost <= ${tokenLimit} then
    local left = math.min(1 - requests / ${requestLimit}, 1 - (tokens + cost) / ${tokenLimit})
    if not most or left > most then best, most = index, left end
  end
end
if not best then return 0 end
redis.call('ZADD', KEYS[best], now, cost .. ':' .. id)
redis.call('INCRBY', KEYS[best + 1], cost)
redis.call('PEXPIRE', KEYS[best], ${windowMs})
redis.call('PEXPIRE', KEYS[best + 1], ${windowMs})
return (best + 1) / 2
`

const indices = (count: number) => Array.from({ length: count }, (_, index) => index)

export const sortedSets = async (client: Redis, providers: number): Promise<Variant> => {
  const sha = String(await client.script("LOAD", slide))
  const keys = indices(providers).flatMap((index) => [`zset:{z}:${index}:log`, `zset:{z}:${index}:tokens`])
  let id = 0
  return {
    name: "ZSET",
    trips: 1,
    decide: async (tokens) => {
      await client.evalsha(sha, keys.length, ...keys, tokens, (id++).toString(36))
    },
    fill: async (requests) => {
      await client.unlink(...keys)
      const pipeline = client.pipeline()
      const now = Date.now()
      for (let request = 0; request < requests; request++) {
        const at = now - windowMs / 2 * (request / requests)
        pipeline.zadd(`zset:{z}:${request % providers}:log`, at, `700:${(id++).toString(36)}`)
      }
      await pipeline.exec()
    },
    keys: matching(client, "zset:*")
  }
}

/** A counter for each provider, limit and clock minute: read them all, choose, count. Nothing holds the two together. */
export const naive = (client: Redis, providers: number): Variant => {
  const minute = () => Math.floor(Date.now() / windowMs)
  const decide = async (tokens: number) => {
    const now = minute()
    const counters = await client.mget(
      indices(providers).flatMap((index) => [
        `naive:${index}:requests:${now}`,
        `naive:${index}:tokens:${now}`
      ])
    )
    let best = 0
    let most = -1
    for (let index = 0; index < providers; index++) {
      const left = Math.min(
        1 - Number(counters[2 * index]) / requestLimit,
        1 - (Number(counters[2 * index + 1]) + tokens) / tokenLimit
      )
      if (left > most) {
        best = index
        most = left
      }
    }
    await client.multi()
      .incr(`naive:${best}:requests:${now}`)
      .pexpire(`naive:${best}:requests:${now}`, 2 * windowMs)
      .incrby(`naive:${best}:tokens:${now}`, tokens)
      .pexpire(`naive:${best}:tokens:${now}`, 2 * windowMs)
      .exec()
  }
  return {
    name: "GET/INCR",
    trips: 2,
    decide,
    fill: async (requests) => {
      const pipeline = client.pipeline()
      const now = minute()
      for (let index = 0; index < providers; index++) {
        pipeline.set(`naive:${index}:requests:${now}`, Math.ceil(requests / providers), "PX", windowMs)
        pipeline.set(`naive:${index}:tokens:${now}`, Math.ceil(requests / providers) * 700, "PX", windowMs)
      }
      await pipeline.exec()
    },
    keys: matching(client, "naive:*")
  }
}

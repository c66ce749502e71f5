import { createHash } from "node:crypto"

/**
 * Every key of one router, all in one slot of a cluster. Their layout is in the name, so that instances of another
 * version, or with another window, do not read what they do not understand: they keep a picture of their own.
 */
export interface Keys {
  /**
   * Time, and when the state came into being. Also the name of the channel, which all databases of a Redis have in common:
   * so the database is in it.
   */
  readonly meta: string
  /** The instances there are, by when they were last heard of. */
  readonly instances: string
  /** There while somebody waits somewhere. The scripts know by its length where a provider's key begins to name it. */
  readonly waiting: string
  /** One instance's reservations. */
  readonly leases: (instance: string) => string
  readonly provider: (spec: { readonly name: string; readonly model: string }) => string
  /** Whose key it is, whatever a client puts before it; `undefined` where it is no provider's. */
  readonly specOf: (key: string) => { readonly name: string; readonly model: string } | undefined
  /** One session's provider. A session's id is its owner's business and is not stored. */
  readonly pin: (sessionId: string) => string
}

/** One more with each change of what the keys' values look like; `Layout.test.ts` notices one of a provider's. */
export const layoutVersion = 1

export const makeKeys = (
  { buckets, db = 0, namespace, windowMs }: {
    readonly namespace: string
    /** The number of the database; default 0. */
    readonly db?: number
    readonly windowMs: number
    readonly buckets: number
  }
): Keys => {
  const known = new WeakMap<object, string>()
  const prefix = `route-llm:v${layoutVersion}:{${namespace}}:${windowMs}x${buckets}:`
  const providers = `${prefix}provider:`
  return {
    meta: `${prefix}meta${db === 0 ? "" : `:${db}`}`,
    instances: `${prefix}instances`,
    waiting: `${prefix}waiting`,
    leases: (instance) => `${prefix}leases:${instance}`,
    // Asked for with each request.
    provider: (spec) => {
      const before = known.get(spec)
      if (before !== undefined) return before
      const key = `${providers}${JSON.stringify([spec.name, spec.model])}`
      known.set(spec, key)
      return key
    },
    specOf: (key) => {
      const at = key.indexOf(providers)
      if (at < 0) return undefined
      const named: unknown = JSON.parse(key.slice(at + providers.length))
      const [name, model]: ReadonlyArray<unknown> = Array.isArray(named) ? named : []
      return typeof name === "string" && typeof model === "string" ? { name, model } : undefined
    },
    pin: (sessionId) => `${prefix}pin:${createHash("sha256").update(sessionId).digest("base64url").slice(0, 22)}`
  }
}

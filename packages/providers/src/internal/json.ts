/** Reading values of unknown shape: what is absent or of another type is `undefined`, nothing throws. */

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** The value at a path of properties and indices. */
export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>((inner, key) => isRecord(inner) ? inner[key] : undefined, value)

export const text = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

export const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** A number of things: finite and not negative. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined

/** The value a JSON text of an object or array stands for. */
export const parse = (value: string): unknown => {
  if (!/^\s*[[{]/.test(value)) return undefined
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

/** What is read, or `otherwise` where reading it throws: a value of the user's can be a proxy whose getters throw. */
export const safely = <A>(read: () => A, otherwise: A): A => {
  try {
    return read()
  } catch {
    return otherwise
  }
}

/** What a field holds that says nothing. */
export const isBlank = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || value === false
  || (isRecord(value) && Object.keys(value).length === 0)

/** Whether a record has anything in fields other than these. */
export const saysMore = (value: unknown, known: ReadonlySet<string>): boolean => {
  if (!isRecord(value)) return false
  for (const key in value) {
    if (!known.has(key) && !isBlank(value[key])) return true
  }
  return false
}

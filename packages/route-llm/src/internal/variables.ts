const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-((?:(?!\$\{)[^}])*))?\}|\$\{/g

/** The variables that a text refers to. */
export const namesIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(reference)].flatMap(([, name]) => name ?? [])

/** Whether a text is one reference and nothing else. */
export const isOneReference = (text: string): boolean =>
  text.match(reference)?.[0] === text && namesIn(text).length === 1

/**
 * A variable's name as errors may show it. Vendors' keys that hold no dash are names as well (`${gsk_…}`): what is as
 * long as one and not in capitals, as names of variables are, is not shown.
 */
export const shownName = (name: string): string =>
  name.length > 32 && /[a-z]/.test(name) ? `<a name of ${name.length} characters>` : name

/** References to variables, as errors may show them. */
export const shownReferences = (names: ReadonlyArray<string>): string =>
  names.map((name) => `\${${shownName(name)}}`).join(", ")

/** What `${NAME}`, `${NAME:-default}` and `$${` in a text stand for. What a variable holds is not looked at again. */
export interface Expansion {
  readonly text: string
  /** Without a value and without a default. */
  readonly unset: ReadonlyArray<string>
  /** A `${` that begins no reference. */
  readonly malformed: boolean
}

/** Expands the references of one text. */
export const expand = (text: string, valueOf: (name: string) => string | undefined): Expansion => {
  const unset: Array<string> = []
  let malformed = false
  const expanded = text.replace(reference, (written: string, name?: string, fallback?: string) => {
    if (written === "$${") return "${"
    if (name === undefined) {
      malformed = true
      return written
    }
    const value = valueOf(name) ?? fallback
    if (value === undefined) unset.push(name)
    return value ?? written
  })
  return { text: expanded, unset, malformed }
}

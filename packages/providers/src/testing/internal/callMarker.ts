/** What asks a loopback vendor for a call: `[call tool get_weather {"city": "Oslo"}]`. */
import type { DeclaredTool, MadeCall } from "./VendorFormat.ts"

const opening = /\[call tool ([\w.:-]{1,128}) (?=\{)/g

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

/** The JSON object that starts the text and ends with a bracket, however many brackets are inside. */
const objectAt = (text: string): Record<string, unknown> | undefined => {
  for (let end = text.indexOf("}]"); end >= 0; end = text.indexOf("}]", end + 1)) {
    try {
      const value: unknown = JSON.parse(text.slice(0, end + 1))
      return isObject(value) ? value : undefined
    } catch {
      // This bracket is one inside.
    }
  }
  return undefined
}

/** The calls that a text asks for, in order; of tools that the request does not declare, none. */
export const callsIn = (text: string, tools: ReadonlyArray<DeclaredTool>): ReadonlyArray<MadeCall> =>
  [...text.matchAll(opening)].flatMap((match) => {
    const name = match[1] ?? ""
    const args = objectAt(text.slice(match.index + match[0].length))
    return args === undefined || tools.every((tool) => tool.name !== name) ? [] : [{ name, args }]
  })

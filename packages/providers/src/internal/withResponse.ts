import type { Answered } from "../Adapter.ts"
import { at, isRecord } from "./json.ts"

/**
 * What an SDK's call resolves with. The SDKs of OpenAI, Anthropic and Groq return a promise that gives the response too
 * (`withResponse`); a client of the same shape may not, and then there are no headers.
 */
export const withResponse = async (sent: PromiseLike<unknown>): Promise<Answered> => {
  const method = at(sent, "withResponse")
  if (typeof method === "function") {
    try {
      const whole: unknown = await Reflect.apply(method, sent, [])
      if (isRecord(whole) && "data" in whole) return { raw: whole.data, headers: at(whole, "response", "headers") }
    } catch {
      // A failed call fails again below, in its own words; a method that only cannot show the headers costs nothing.
    }
  }
  return { raw: await sent, headers: undefined }
}

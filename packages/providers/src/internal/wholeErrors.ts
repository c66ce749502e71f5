import { headerOf } from "./headers.ts"
import { at, isRecord, parse } from "./json.ts"

/**
 * `fetch` for a client of the `openai` package, which keeps of an error's body only what is in its field `error`. Many
 * that imitate OpenAI have none (Mistral, Cerebras and older vLLM `{ message, type, code }`, FastAPI `{ detail }`, Gemini
 * a list): their body is put there, so that what they say is read.
 */
export const fetchWholeErrors = async (
  input: string | URL | Request,
  init?: RequestInit
): Promise<Response> => {
  const response = await fetch(input, init)
  if (response.status < 400 || !/json/i.test(headerOf(response.headers, "content-type") ?? "")) return response
  const text = await response.text()
  const body = parse(text)
  const isBare = isRecord(body) && (at(body, "error") ?? undefined) === undefined
  const { headers, status, statusText } = response
  return new Response(isBare ? JSON.stringify({ error: body }) : text, { headers, status, statusText })
}

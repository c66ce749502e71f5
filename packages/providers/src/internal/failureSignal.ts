import { headerOf } from "./headers.ts"
import { at, count, isRecord, list, parse, text } from "./json.ts"

/** What can be read from a value an SDK threw, whichever SDK it was. */
export interface FailureSignal {
  /** Of the HTTP response; the body's own number where it came under status 200. */
  readonly status: number | undefined
  /** Every code, type, status, reason and quota id of the body, then names and codes of the error and its causes. */
  readonly codes: ReadonlyArray<string>
  /** The vendor's own name for it: the first of the body's. */
  readonly code: string | undefined
  readonly message: string
  /** What the vendor itself said; `message` is of its upstream, where it quotes one. Empty: nothing. */
  readonly words: string
  /** The error bodies found, from the outermost to the innermost. */
  readonly bodies: ReadonlyArray<unknown>
  /** Whether the vendor itself spoke: in a body, or in JSON that the SDK has not kept. */
  readonly isVendors: boolean
}

const deepest = 4

/** A server can answer with megabytes; what tells anything stands at the beginning. */
const longestMessage = 4_000

/**
 * The error bodies in a value, the outermost first. OpenAI's SDK hands over what is inside `error`, Anthropic's and
 * Groq's the whole body, Google's its JSON text as the message; OpenRouter keeps the upstream's body in
 * `metadata.raw`, gateways nest one body's text in another's message.
 */
const bodiesIn = (value: unknown, depth = 0): ReadonlyArray<Readonly<Record<string, unknown>>> => {
  const opened = typeof value === "string" ? parse(value) : value
  const body = Array.isArray(opened) ? opened[0] : opened
  if (!isRecord(body) || depth > deepest) return []
  const inner = [body.error, at(body, "metadata", "raw"), body.message].flatMap((part) => bodiesIn(part, depth + 1))
  return [body, ...inner]
}

/** The places where vendors write what went wrong, the telling ones first. */
const codesOf = (body: unknown): ReadonlyArray<string> =>
  [
    at(body, "details", "error_code"),
    at(body, "innererror", "code"),
    at(body, "code"),
    at(body, "type"),
    at(body, "status"),
    at(body, "metadata", "error_type"),
    ...list(at(body, "details")).flatMap((detail) => [
      at(detail, "reason"),
      ...list(at(detail, "violations")).map((violation) => at(violation, "quotaId"))
    ]),
    // OpenRouter names what its moderation objected to here.
    ...(list(at(body, "metadata", "reasons")).length > 0 ? ["moderation"] : [])
  ].flatMap((code) => typeof code === "string" && code !== "error" && code !== "" ? [code] : [])

const causesOf = (thrown: unknown, depth = 0): ReadonlyArray<unknown> =>
  isRecord(thrown) && depth <= deepest ? [thrown, ...causesOf(thrown.cause, depth + 1)] : []

/** Stainless SDKs do not set `name`, so the class's own name counts as well. */
const errorCodesOf = (error: unknown): ReadonlyArray<string> =>
  [at(error, "code"), at(error, "name"), at(error, "constructor", "name")].flatMap((code) =>
    typeof code === "string" ? [code] : []
  )

/** FastAPI's first, of a field (`[{ loc, msg, input }]`), without the input. */
const complaint = (detail: unknown): unknown => {
  const words = text(at(detail, 0, "msg"))
  const field = list(at(detail, 0, "loc")).filter((key) => typeof key === "string" || typeof key === "number").join(".")
  return words === undefined || field === "" ? words : `${field}: ${words}`
}

const wordsOf = (body: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  [body.message, body.error, body.detail, complaint(body.detail)].flatMap((words) =>
    typeof words === "string" && words !== "" && parse(words) === undefined ? [words] : []
  )

const ownWords = (thrown: unknown, causes: ReadonlyArray<unknown>): string => {
  if (typeof thrown === "string") return thrown
  const [own = "Unknown failure", ...rest] = causes.flatMap((cause) => text(at(cause, "message")) ?? [])
  const because = rest.at(-1) ?? text(at(causes.at(-1), "code"))
  return because === undefined || because === "" || because === own ? own : `${own} (${because})`
}

/** OpenAI's SDK keeps nothing of a body without an `error` (Mistral's, Cerebras's, FastAPI's) but what it came as. */
const lostWords = "The vendor answered in JSON without an `error`, of which this client keeps nothing. "
  + "A provider made from `apiKey` and `baseUrl` keeps it."

const isJson = (headers: unknown): boolean =>
  /json/i.test(headerOf(headers, "content-type") ?? "") && headerOf(headers, "content-length") !== "0"

/** What the value says; `headers` are the answer's. */
export const readSignal = (thrown: unknown, headers?: unknown): FailureSignal => {
  const causes = causesOf(thrown)
  const bodies = [...bodiesIn(at(thrown, "error")), ...bodiesIn(at(thrown, "message"))]
  const bodyCodes = bodies.flatMap(codesOf)
  const inBand = bodies.map((body) => count(body.code)).find((code) => code !== undefined && code >= 400)
  // A body that is plain text: `{"error": "no such model"}`, as Ollama writes it.
  const plain = text(at(thrown, "error"))
  const words = bodies.flatMap(wordsOf)
  const said = words.at(-1) ?? plain ?? ownWords(thrown, causes)
  const status = count(at(thrown, "status")) ?? inBand
  // Google's SDK puts a proxy's page into a body of its own making.
  const isPage = /^\s*(\d{3} )?\s*</.test(said)
  const isLost = status !== undefined && said.endsWith("(no body)") && isJson(headers)
  const message = isLost ? lostWords : said
  return {
    status,
    codes: [...bodyCodes, ...causes.flatMap(errorCodesOf)],
    code: bodyCodes.find((code) => /^[\w.:-]{1,80}$/.test(code)),
    message: message.slice(0, longestMessage),
    words: (words[0] ?? plain ?? "").slice(0, longestMessage),
    bodies: isPage ? [] : plain === undefined ? bodies : [plain, ...bodies],
    isVendors: isLost || (!isPage && (plain !== undefined || bodies.length > 0))
  }
}

/**
 * One HTTP exchange with a vendor, from its first byte to its outcome, which is counted exactly once: in the vendor's
 * order (fault, key, request, model, limits), then the answer after its latency.
 */
import { Either } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { StreamFault } from "../Fault.ts"
import { countInputTokens, replyTo } from "./answers.ts"
import { type AnsweringFault, isServed, metBy, problemOf, type ServedFault } from "./faults.ts"
import { type Pace, paceOf } from "./pace.ts"
import { StreamedReply } from "./StreamedReply.ts"
import type { Outcome } from "./Tally.ts"
import type { Answer, Call, Problem, Route } from "./VendorFormat.ts"
import type { VendorState } from "./VendorState.ts"
import { gatewayPage, sendGarbage, sendReset } from "./wireFaults.ts"

/** As Anthropic's, the only one documented; the others differ. */
const maxBodyBytes = 32 * 1024 * 1024

export class Exchange {
  readonly #vendor: VendorState
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #id: string
  readonly #chunks: Array<Buffer> = []
  #bytes = 0
  #open = true
  #timer: NodeJS.Timeout | undefined
  #leave = (): void => this.#end("aborted")
  #model = "unknown"
  /** Those of the arrival, where that is when the vendor computes them. */
  #headers: Readonly<Record<string, string>> | undefined

  constructor(vendor: VendorState, request: IncomingMessage, response: ServerResponse) {
    this.#vendor = vendor
    this.#request = request
    this.#response = response
    this.#id = vendor.nextId()
    vendor.tally.received()
    // Closed while still open: it is the client who left (or the vendor's scope that ended).
    response.on("close", () => this.#open && this.#leave())
    request.on("data", (chunk: Buffer) => this.#receive(chunk))
    request.on("end", () => this.#handle())
  }

  #receive(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes <= maxBodyBytes) this.#chunks.push(chunk)
  }

  #handle(): void {
    if (!this.#open) return
    const { format } = this.#vendor
    const { pathname, searchParams } = new URL(this.#request.url ?? "/", "http://loopback")
    const method = this.#request.method ?? "GET"
    const route = method === "POST" ? format.route(pathname) : undefined
    if (route === undefined) return this.#refuse({ kind: "unknown_url", method, path: pathname })
    const body = parseJson(Buffer.concat(this.#chunks).toString())
    this.#vendor.record({ method, path: pathname, headers: this.#request.headers, body })
    this.#model = modelOf(route, body) ?? this.#model

    const scripted = this.#vendor.nextFault()
    const fault = scripted && metBy(scripted, { stream: isStreamed(route, body) })
    if (fault !== undefined && !isServed(fault)) return this.#fail(fault)
    const { apiKey } = this.#vendor
    if (apiKey !== undefined && format.apiKey(this.#request.headers, searchParams) !== apiKey) {
      return this.#refuse({ kind: "unauthorized" })
    }
    if (this.#bytes > maxBodyBytes) return this.#refuse({ kind: "request_too_large" })
    if (body === undefined) return this.#refuse({ kind: "bad_request", message: "The request body is not valid JSON." })
    Either.match(format.decode(body, route), {
      onLeft: (problem) => this.#refuse(problem),
      onRight: (call) => this.#serve(call, fault)
    })
  }

  #serve(call: Call, fault: ServedFault | undefined): void {
    const { admission, clock, format, latency, models, tally } = this.#vendor
    const draws = this.#vendor.draw()
    if (models !== undefined && !models.has(call.model)) return this.#refuse({ kind: "model_not_found" })
    const inputTokens = countInputTokens(call)
    const atMs = clock.now()
    const refusal = admission.admit(atMs, { inputTokens, maxTokens: call.maxTokens })
    if (refusal !== undefined) return this.#refuse(refusal)
    tally.admitted(inputTokens)
    const admitted = this.#vendor.recordAdmission({ atMs, inputTokens })
    if (this.#vendor.headersShow === "arrival") this.#headers = this.#rateHeaders(atMs)

    const reply = replyTo(call, draws.length)
    const slowness = fault?.kind === "slow" ? fault.factor : 1
    const pace = paceOf(latency, { normal: draws.firstToken, uniform: draws.tail }, slowness)
    const answer = () => ({ ...reply, id: this.#id, model: call.model, unixSeconds: clock.unixSeconds(), inputTokens })
    const complete = (outputTokens: number) => {
      const completedAtMs = clock.now()
      admission.complete(completedAtMs, { outputTokens, maxTokens: call.maxTokens })
      admitted.outputTokens = outputTokens
      admitted.completedAtMs = completedAtMs
    }
    if (call.stream) {
      const streamed = { ...answer(), streamUsage: call.streamUsage ?? false }
      return this.#stream(streamed, { fault, pace, complete })
    }
    const { outputTokens } = reply
    const answered = () => {
      complete(outputTokens)
      this.#send({ status: 200, body: JSON.stringify(format.answer(answer())), outcome: "served", outputTokens })
    }
    // A timer fires a millisecond late at best: below that, at once is closer.
    const realMs = (pace.firstTokenMs + pace.perTokenMs * outputTokens) / clock.speed
    if (realMs < 1) answered()
    else this.#timer = setTimeout(answered, realMs)
  }

  /** What has been written counts, however the stream ends. */
  #stream(answer: Answer, { complete, fault, pace }: {
    readonly fault: ServedFault | undefined
    readonly pace: Pace
    readonly complete: (outputTokens: number) => void
  }): void {
    const { clock, format } = this.#vendor
    const reply = new StreamedReply({
      response: this.#response,
      clock,
      answer: format.stream(answer),
      headers: this.#headers ?? this.#rateHeaders(clock.now()),
      pace,
      shapes: fault?.kind === "framing" ? fault.shapes : [],
      fault: fault?.kind === "stream" ? { ...fault, does: this.#breaks(fault) } : undefined,
      onEnd: (outcome, written) => {
        const outputTokens = outcome === "served" ? answer.outputTokens : written
        complete(outputTokens)
        this.#end(outcome, outputTokens)
      }
    })
    this.#leave = () => {
      reply.stop()
      complete(reply.tokens)
      this.#end("aborted", reply.tokens)
    }
    reply.write()
  }

  #breaks({ does }: StreamFault) {
    const { clock, format } = this.#vendor
    if (typeof does === "string") return does
    const { body } = format.error(problemOf(this.#vendor, does), { id: this.#id, model: this.#model, clock })
    return format.errorEvent(body)
  }

  #refuse(problem: Problem): void {
    const { clock, format } = this.#vendor
    const { body, headers, status } = format.error(problem, { id: this.#id, model: this.#model, clock })
    const outcome = problem.kind === "rate_limit" ? "rateLimited" : "failed"
    this.#send({ status, headers, body: JSON.stringify(body), outcome })
  }

  #fail(fault: AnsweringFault): void {
    switch (fault.kind) {
      case "timeout":
        return
      case "reset":
        this.#end("failed")
        return sendReset(this.#response, fault.at ?? "start")
      case "garbage":
        this.#end("failed")
        return sendGarbage(this.#response, fault.shape ?? "html")
      case "custom": {
        const body = typeof fault.body === "string" ? fault.body : JSON.stringify(fault.body)
        const outcome = fault.status === 429 ? "rateLimited" : fault.status < 400 ? "served" : "failed"
        return this.#send({ status: fault.status, headers: fault.headers, body, outcome })
      }
      case "server_error": {
        if (fault.shape !== "html") return this.#refuse(problemOf(this.#vendor, fault))
        const status = fault.status ?? 500
        const headers = { "content-type": "text/html" }
        return this.#send({ status, headers, body: gatewayPage(status), outcome: "failed" })
      }
      default:
        return this.#refuse(problemOf(this.#vendor, fault))
    }
  }

  #send(reply: {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly body: string
    readonly outcome: Outcome
    readonly outputTokens?: number
  }): void {
    if (!this.#open) return
    this.#end(reply.outcome, reply.outputTokens)
    this.#response.writeHead(reply.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(reply.body),
      ...(this.#headers ?? this.#rateHeaders(this.#vendor.clock.now())),
      ...reply.headers
    })
    this.#response.end(reply.body)
  }

  #rateHeaders(nowMs: number): Record<string, string> {
    const { admission, clock, format } = this.#vendor
    return format.headers(admission.state(nowMs), { id: this.#id, clock })
  }

  #end(outcome: Outcome, outputTokens = 0): void {
    if (!this.#open) return
    this.#open = false
    clearTimeout(this.#timer)
    this.#vendor.tally.ended(outcome, outputTokens)
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isStreamed = (route: Route, body: unknown): boolean =>
  route.stream === true || (typeof body === "object" && body !== null && "stream" in body && body.stream === true)

const modelOf = (route: Route, body: unknown): string | undefined =>
  route.model ?? (typeof body === "object" && body !== null && "model" in body ? String(body.model) : undefined)

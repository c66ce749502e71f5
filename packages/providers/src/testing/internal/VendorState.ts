/**
 * Everything one vendor remembers between exchanges. Plain and synchronous: node runs one exchange's step at a time.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Fault } from "../Fault.ts"
import type { LatencyModel } from "../LatencyModel.ts"
import type { AdmittedRequest, Counts, RecordedRequest } from "../Observed.ts"
import type { Admission } from "./Admission.ts"
import type { Draws } from "./draws.ts"
import { Recent } from "./Recent.ts"
import { Tally } from "./Tally.ts"
import type { VendorClock } from "./VendorClock.ts"
import type { VendorFormat } from "./VendorFormat.ts"

interface VendorStateOptions {
  readonly format: VendorFormat
  readonly clock: VendorClock
  readonly admission: Admission
  readonly latency: LatencyModel
  readonly draw: () => Draws
  readonly headersShow: "arrival" | "completion"
  readonly apiKey: string | undefined
  readonly models: ReadonlyArray<string> | undefined
  readonly keepRequests: number
  readonly keepAdmissions: number
}

type Writable<A> = { -readonly [Key in keyof A]: A[Key] }

export class VendorState {
  readonly format: VendorFormat
  readonly clock: VendorClock
  readonly admission: Admission
  readonly latency: LatencyModel
  readonly draw: () => Draws
  readonly headersShow: "arrival" | "completion"
  readonly apiKey: string | undefined
  readonly models: ReadonlySet<string> | undefined
  readonly tally: Tally<Counts>
  readonly #requests: Recent<RecordedRequest>
  readonly #admissions: Recent<Writable<AdmittedRequest>>
  readonly #scripted: Array<{ readonly fault: Fault; times: number }> = []
  #standing: Fault | undefined
  #ids = 0

  constructor(options: VendorStateOptions) {
    this.format = options.format
    this.clock = options.clock
    this.admission = options.admission
    this.latency = options.latency
    this.draw = options.draw
    this.apiKey = options.apiKey
    this.models = options.models === undefined ? undefined : new Set(options.models)
    this.headersShow = options.headersShow
    this.tally = new Tally((counts) => ({
      ...counts,
      peakRequests: this.admission.peak("requests"),
      peakTokens: this.admission.peak("tokens"),
      peakInputTokens: this.admission.peak("inputTokens"),
      peakOutputTokens: this.admission.peak("outputTokens")
    }))
    this.#requests = new Recent(options.keepRequests)
    this.#admissions = new Recent(options.keepAdmissions)
  }

  nextId(): string {
    this.#ids++
    return this.#ids.toString(36).padStart(12, "0")
  }

  record(
    request: {
      readonly method: string
      readonly path: string
      readonly headers: IncomingHttpHeaders
      readonly body: unknown
    }
  ): void {
    this.#requests.add({ ...request, atMs: this.clock.now(), headers: redacted(request.headers) })
  }

  requests(): ReadonlyArray<RecordedRequest> {
    return this.#requests.items()
  }

  /** The entry is filled in at completion. */
  recordAdmission(counted: { readonly atMs: number; readonly inputTokens: number }): Writable<AdmittedRequest> {
    const admitted: Writable<AdmittedRequest> = { ...counted, outputTokens: 0 }
    this.#admissions.add(admitted)
    return admitted
  }

  admissions(): ReadonlyArray<AdmittedRequest> {
    return this.#admissions.items().map((admitted) => ({ ...admitted }))
  }

  script(fault: Fault, times: number): void {
    if (times > 0) this.#scripted.push({ fault, times })
  }

  setStanding(fault: Fault | undefined): void {
    this.#standing = fault
  }

  /** Scripted faults first, in order; then the standing one. */
  nextFault(): Fault | undefined {
    const next = this.#scripted[0]
    if (next === undefined) return this.#standing
    next.times--
    if (next.times <= 0) this.#scripted.shift()
    return next.fault
  }
}

const secrets = new Set(["authorization", "x-api-key", "x-goog-api-key"])

const redacted = (headers: IncomingHttpHeaders): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, secrets.has(name) ? "[redacted]" : String(value)])
  )

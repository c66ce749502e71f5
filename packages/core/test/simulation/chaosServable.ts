/**
 * Could it have been served in time? Judged from the script of faults and from what the vendors saw. A vendor could have
 * served a request if it was well, at work and had room at any moment at which the request might have been sent there,
 * and its answer fits in the time that is left then. That is as much as can be asked of a router that does not know what
 * comes; where one of these is asked for less, it fails:
 *
 * - **Well.** No condition of the script meets a call from the arrival to the last moment at which it might be sent.
 * - **At work.** Nobody knows that a vendor is well again before he has called it, and meanwhile the cooldown of its
 *   circuit, the bench of its key and the ramp keep calls away. So it is at work where it never came to grief; else once
 *   it has answered a call that was sent after its last grief, and the ramp (30 s) has passed; and, whether anybody has
 *   called it or not, once the longest cooldown (5 min, as the bench of a key), one answer and the ramp have. Grief is a
 *   failure, or a call cut off, that the script or a limit brought about; it comes at the call's end, so one that hung
 *   may come long after the bad time. A request that may wait is sent there when the vendor is at work; one that may not
 *   has to find it so.
 * - **Room.** All that counts in the window, at full size, with the request on top, is at most `roomy` of each limit. The
 *   rest is for what is not known beforehand: an estimate that errs by a tenth, the length of the answers under way.
 * - **In time.** An attempt may take half of what is left while there are others, so each of them that drags (hangs, is
 *   slow, cuts off its answer, or takes longer than that half when it is well) may take it from those who come after; one
 *   that refuses takes its round trips. The vendor comes last, and its answer must fit in half of the rest.
 *
 * Not counted is what a last resort might have reached, a call to a vendor that is not at work yet.
 */
import { Exit } from "effect"
import type { Played } from "./chaosPlay.ts"
import type { VendorRecord } from "./chaosRecord.ts"
import { type ChaosRequest, hour } from "./chaosScript.ts"

const roomy = 0.9
const rampMs = 30_000
const longestCooldownMs = 300_000
/** Three refusals of one that says no at once, which is the most there are. */
const refusedMs = 3 * 160

export const candidates = ({ request }: ChaosRequest, vendors: ReadonlyArray<VendorRecord>) =>
  request.forceProvider === undefined ? vendors : vendors.filter(({ name }) => name === request.forceProvider)

interface Judged {
  readonly of: ChaosRequest
  readonly arrivedMs: number
  readonly deadlineMs: number
}

/** From when on it is certain that the vendor takes calls, if it does not come to grief after `byMs`. */
const atWorkMs = (vendor: VendorRecord, { arrivedMs, of }: Judged, byMs: number): number => {
  const griefMs = vendor.lastGriefMs(byMs)
  if (griefMs === Number.NEGATIVE_INFINITY) return arrivedMs
  const answeredMs = vendor.answeredAfterMs(griefMs)
  const probedMs = griefMs + longestCooldownMs + vendor.answerMs(of)
  return Math.max(arrivedMs, Math.min(answeredMs, probedMs) + rampMs)
}

/** When it might be sent there at the latest, if not before that moment: after all others have had their turn. */
const latestMs = (
  vendor: VendorRecord,
  others: ReadonlyArray<VendorRecord>,
  judged: Judged,
  fromMs: number
): number => {
  const { arrivedMs, deadlineMs, of } = judged
  const turns = others.filter((other) => other !== vendor).map((other) => {
    const conditions = other.conditionsIn(arrivedMs, deadlineMs)
    const drags = conditions.some((each) => each.does !== "fail" || each.class === "truncated")
    return { answerMs: drags ? Number.POSITIVE_INFINITY : other.answerMs(of), refuses: conditions.length > 0 }
  }).sort((a, b) => b.answerMs - a.answerMs)
  // The refusals first, since a little less time may be what makes the half too short.
  let leftMs = deadlineMs - fromMs - refusedMs * turns.filter(({ refuses }) => refuses).length
  for (const { answerMs } of turns) {
    if (answerMs > leftMs / 2) leftMs /= 2
  }
  return deadlineMs - leftMs
}

const couldServe = (vendor: VendorRecord, vendors: ReadonlyArray<VendorRecord>, judged: Judged): boolean => {
  const { arrivedMs, deadlineMs, of } = judged
  const others = candidates(of, vendors)
  let fromMs = arrivedMs
  let lastMs = latestMs(vendor, others, judged, fromMs)
  for (;;) {
    const atMs = atWorkMs(vendor, judged, lastMs)
    // Who does not wait has to find it at work when he comes.
    if (atMs > (of.request.onSaturated === "fail" ? arrivedMs : deadlineMs)) return false
    if (atMs <= fromMs) break
    fromMs = atMs
    lastMs = latestMs(vendor, others, judged, fromMs)
  }
  const sliceMs = (deadlineMs - lastMs) / (others.length > 1 ? 2 : 1)
  return vendor.answerMs(of) < sliceMs
    && vendor.conditionsIn(arrivedMs, lastMs).length === 0
    && vendor.fullest(of, fromMs, lastMs) <= roomy
}

const judgedOf = ({ arrivedMs, of }: Played): Judged => ({
  of,
  arrivedMs,
  deadlineMs: arrivedMs + of.timeoutMs
})

/** The vendors that could have served it. Of one that asked for few attempts nothing is said: each may fail. */
export const couldHaveServed = (played: Played, vendors: ReadonlyArray<VendorRecord>): ReadonlyArray<string> => {
  const judged = judgedOf(played)
  if (played.of.request.maxAttempts !== undefined || judged.deadlineMs > 1.1 * hour) return []
  return candidates(played.of, vendors).filter((vendor) => couldServe(vendor, vendors, judged)).map(({ name }) => name)
}

/** Some other vendor had a bad time while the request could be served. */
export const inTrouble = (played: Played, vendors: ReadonlyArray<VendorRecord>): boolean => {
  const { arrivedMs, deadlineMs } = judgedOf(played)
  return vendors.some((vendor) => vendor.conditionsIn(arrivedMs, Math.min(deadlineMs, played.endedMs)).length > 0)
}

export const isServed = ({ exit }: Played): boolean => Exit.isSuccess(exit)

import { LoopbackVendor } from "@route-llm/providers/testing"
import { Effect, Runtime } from "effect"
import type { VendorMessage, VendorOrder, VendorProcessOptions } from "./vendors.ts"

/** The process of the demo's vendors: serves until its parent goes. */
const program = Effect.gen(function*() {
  const { seed, speed, vendors }: VendorProcessOptions = JSON.parse(process.argv[2] ?? "")
  const running = yield* Effect.forEach(
    vendors,
    ({ name, requestLimit, tokenLimit }) =>
      LoopbackVendor.make({ vendor: name, requestLimit, tokenLimit, speed, seed, keepRequests: 0, keepAdmissions: 0 })
  )
  const tell = (message: VendorMessage) => Effect.sync(() => process.send?.(message))
  const counts = Effect.gen(function*() {
    const rows = yield* Effect.forEach(running, (vendor) => Effect.map(vendor.counts, (row) => [vendor.vendor, row]))
    yield* tell({ _tag: "Counts", counts: Object.fromEntries(rows) })
  })
  const runtime = yield* Effect.runtime()
  const obey = (order: VendorOrder) =>
    order._tag === "Count"
      ? counts
      : Effect.forEach(
        running.filter(({ vendor }) => vendor === order.vendor),
        (vendor) => vendor.setFault(order.fault),
        { discard: true }
      )
  process.on("message", (order: VendorOrder) => Runtime.runFork(runtime, obey(order)))
  process.on("disconnect", () => process.exit(0))
  yield* tell({ _tag: "Ready", urls: Object.fromEntries(running.map(({ url, vendor }) => [vendor, url])) })
  return yield* Effect.never
})

Effect.runFork(Effect.scoped(program))

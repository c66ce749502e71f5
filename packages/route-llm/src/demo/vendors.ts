import type { AdapterName } from "@route-llm/providers"
import type { Counts, Fault } from "@route-llm/providers/testing"
import { Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"

/** A vendor of the demo with its limits a minute. */
export interface DemoVendor {
  readonly name: AdapterName
  readonly requestLimit: number
  readonly tokenLimit: number
}

/** In the order in which a fallback chain would try them. */
export const demoVendors: ReadonlyArray<DemoVendor> = [
  { name: "openai", requestLimit: 500, tokenLimit: 200_000 },
  { name: "anthropic", requestLimit: 50, tokenLimit: 200_000 },
  { name: "gemini", requestLimit: 60, tokenLimit: 100_000 },
  { name: "groq", requestLimit: 30, tokenLimit: 100_000 }
]

export interface VendorProcessOptions {
  readonly vendors: ReadonlyArray<DemoVendor>
  readonly speed: number
  readonly seed: number
}

/** What the process of the vendors is told: to count, or that a vendor meets every request with a fault from now on. */
export type VendorOrder =
  | { readonly _tag: "Count" }
  | { readonly _tag: "SetFault"; readonly vendor: AdapterName; readonly fault: Fault | undefined }

/** What the process of the vendors says: their addresses once, then their counts whenever asked. */
export type VendorMessage =
  | { readonly _tag: "Ready"; readonly urls: Readonly<Record<string, string>> }
  | { readonly _tag: "Counts"; readonly counts: Readonly<Record<string, Counts>> }

/** The four vendors, running. */
export interface Vendors {
  readonly urls: Readonly<Record<string, string>>
  readonly counts: Effect.Effect<Readonly<Record<string, Counts>>>
  /** What every request to the vendor meets from now on; `undefined`: it is served again. */
  readonly setFault: (vendor: AdapterName, fault: Fault | undefined) => Effect.Effect<void>
}

const next = <Tag extends VendorMessage["_tag"]>(child: ChildProcess, tag: Tag) =>
  Effect.async<Extract<VendorMessage, { readonly _tag: Tag }>>((resume) => {
    const onMessage = (message: VendorMessage) => {
      if (message._tag === tag) done(Effect.succeed(message as Extract<VendorMessage, { readonly _tag: Tag }>))
    }
    const onExit = (code: number | null) => done(Effect.dieMessage(`the vendors' process ended with code ${code}`))
    const done = (result: Effect.Effect<Extract<VendorMessage, { readonly _tag: Tag }>>) => {
      child.off("message", onMessage)
      child.off("exit", onExit)
      resume(result)
    }
    child.on("message", onMessage)
    child.on("exit", onExit)
  })

/** Under the sources this module is a `.ts` file, in the package a `.js` file, and so is the one beside it. */
const entry = fileURLToPath(
  new URL(`./vendorProcess.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url)
)

/** Starts the vendors in a process of their own, as vendors are elsewhere: the router has its event loop to itself. */
export const startVendors = (options: VendorProcessOptions): Effect.Effect<Vendors, never, Scope.Scope> =>
  Effect.gen(function*() {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => fork(entry, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "inherit", "ipc"] })),
      (running) => Effect.sync(() => running.kill())
    )
    const { urls } = yield* next(child, "Ready")
    const order = (message: VendorOrder) => void child.send(message)
    return {
      urls,
      counts: Effect.suspend(() => {
        order({ _tag: "Count" })
        return next(child, "Counts")
      }).pipe(Effect.map(({ counts }) => counts)),
      setFault: (vendor, fault) => Effect.sync(() => order({ _tag: "SetFault", vendor, fault }))
    }
  })

import { Effect } from "effect"
import { readFile } from "node:fs/promises"

/** What the page is told of who serves it; `dashboard/setup.ts` reads it. */
export interface Setup {
  /** Whose board it is. */
  readonly title?: string | undefined
  /** How many times as fast as life the traffic is played; default 1. Times are shown as the traffic's own. */
  readonly speed?: number | undefined
}

/** `scripts/bundleCommand.mjs` lays the page beside the command; under the sources it is made afresh. */
const read = async (): Promise<string> => {
  if (!import.meta.url.endsWith(".ts")) return readFile(new URL("./page.html", import.meta.url), "utf8")
  const bundler: { readonly bundlePage: () => Promise<{ readonly html: string }> } = await import(
    new URL("../../dashboard/bundle.mjs", import.meta.url).href
  )
  return (await bundler.bundlePage()).html
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("\"", "&quot;").replaceAll("<", "&lt;")

/** One HTML file that loads nothing. */
export const loadPage = (setup: Setup): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(read),
    (html) =>
      html.replace(
        "name=\"setup\" content=\"{}\"",
        () => `name="setup" content="${escaped(JSON.stringify(setup))}"`
      )
  )

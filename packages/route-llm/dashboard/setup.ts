/** What the server that serves the page says of it, in `<meta name="setup">`. */
export interface Setup {
  /** Whose board this is: the app's address, or the demo. */
  readonly title?: string | undefined
  /**
   * How many times as fast as life the traffic is played; default 1. All durations and times of the day that the page
   * shows are the traffic's own.
   */
  readonly speed?: number | undefined
}

export const readSetup = (): Setup =>
  JSON.parse(document.querySelector<HTMLMetaElement>("meta[name=setup]")?.content ?? "{}")

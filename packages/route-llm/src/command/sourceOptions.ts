import * as Options from "@effect/cli/Options"

/** The configuration that is read where none is named. */
export const defaultConfig = "router.yaml"

/** What is looked at: an application that runs, or what it shares with others. */
export const sourceOptions = {
  url: Options.text("url").pipe(
    Options.withDescription(
      "Where an application serves its router's status, such as http://localhost:3000/llm; ROUTE_LLM_TOKEN is sent as "
        + "a bearer token where it is set"
    ),
    Options.optional
  ),
  config: Options.file("config").pipe(
    Options.withDescription(
      `The router's YAML file, for what its redis_url shares; without one, for a router that has just started. Default `
        + `${defaultConfig}, where there is one`
    ),
    Options.optional
  ),
  redis: Options.redacted("redis").pipe(
    Options.withDescription("The Redis that a fleet shares, instead of the configuration's redis_url"),
    Options.optional
  ),
  namespace: Options.text("namespace").pipe(
    Options.withDescription("Which of the pictures in that Redis; \"default\" where the applications name none"),
    Options.optional
  )
}

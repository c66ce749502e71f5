import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { fromText } from "../src/ConfigFile.ts"
import { checkConfig } from "../src/internal/checkConfig.ts"

it("the README's configuration holds", async () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8")
  const [, yaml] = /```yaml\n(.*?)```/s.exec(readme) ?? []
  const variables = { OPENAI_API_KEY: "sk-1", ANTHROPIC_API_KEY: "sk-2" }
  const config = await Effect.runPromise(fromText(yaml ?? "", { check: checkConfig, variables }))
  expect(config.providers.map(({ adapter, name }) => adapter ?? name)).toEqual(["openai", "anthropic"])
  expect(config).toMatchObject({
    windowSeconds: 60,
    highPriorityReservePct: 10,
    providers: [{ rpmLimit: 500 }, { weight: 0.5 }]
  })
})

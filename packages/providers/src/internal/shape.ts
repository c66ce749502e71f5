import { at } from "./json.ts"

/** A client can be a proxy whose getters throw: then it is nobody's. */
const safely = (test: () => boolean): boolean => {
  try {
    return test()
  } catch {
    return false
  }
}

/** Whether functions are found at all of these paths. */
export const hasMethods = (client: unknown, ...paths: ReadonlyArray<ReadonlyArray<string>>): boolean =>
  safely(() => paths.every((path) => typeof at(client, ...path) === "function"))

/** Whether the client's class carries this static, as the SDKs' classes carry their error classes. */
export const hasStatic = (client: unknown, name: string): boolean =>
  safely(() => {
    const owner = at(client, "constructor")
    return typeof owner === "function" && typeof Reflect.get(owner, name) === "function"
  })

/**
 * The providers of one router. A provider's layer registers it here and takes it out again when its scope closes;
 * the router reads the list at each request, so providers can come and go while it runs.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Ref, type Scope } from "effect"
import type { Provider } from "./Provider.ts"
import { DuplicateProvider, InvalidConfig } from "./RouterError.ts"
import type { ConfigIssue } from "./RouterError.ts"

/**
 * @since 0.1.0
 */
export interface ProviderRegistryService {
  /**
   * Adds a provider until the scope closes. Fails on a name that is taken, on limits below 1 and on a weight that is
   * negative or not finite.
   */
  readonly register: (provider: Provider) => Effect.Effect<void, DuplicateProvider | InvalidConfig, Scope.Scope>
  /** In the order of registration. The array is the same one until something is registered or taken out. */
  readonly providers: Effect.Effect<ReadonlyArray<Provider>>
}

const limitIssue = (path: string, value: number): ReadonlyArray<ConfigIssue> =>
  value >= 1 ? [] : [{ path, issue: `expected a number ≥ 1, found ${value}` }]

const issuesOf = (provider: Provider): ReadonlyArray<ConfigIssue> => [
  ...(provider.name === "" ? [{ path: "name", issue: "expected a name, found an empty string" }] : []),
  ...limitIssue("rpm", provider.requestLimit),
  ...limitIssue("tpm", provider.tokenLimit),
  ...(provider.weight >= 0 && Number.isFinite(provider.weight)
    ? []
    : [{ path: "weight", issue: `expected a finite number ≥ 0, found ${provider.weight}` }])
]

const validate = (provider: Provider): Effect.Effect<void, InvalidConfig> => {
  const [first, ...rest] = issuesOf(provider)
  return first === undefined
    ? Effect.void
    : new InvalidConfig({ source: `provider "${provider.name}"`, issues: [first, ...rest] })
}

type Addition = [Effect.Effect<void, DuplicateProvider>, ReadonlyArray<Provider>]

const make: Effect.Effect<ProviderRegistryService> = Effect.gen(function*() {
  const registered = yield* Ref.make<ReadonlyArray<Provider>>([])

  const add = (provider: Provider): Effect.Effect<void, DuplicateProvider> =>
    Effect.flatten(Ref.modify(registered, (providers): Addition =>
      providers.some(({ name }) => name === provider.name)
        ? [new DuplicateProvider({ provider: provider.name }), providers]
        : [Effect.void, [...providers, provider]]))

  const remove = (provider: Provider) =>
    Ref.update(registered, (providers) => providers.filter((other) => other !== provider))

  return {
    register: (provider) =>
      validate(provider).pipe(
        Effect.zipRight(Effect.acquireRelease(add(provider), () => remove(provider)))
      ),
    providers: Ref.get(registered)
  }
})

/**
 * @since 0.1.0
 */
export class ProviderRegistry
  extends Context.Tag("@route-llm/core/ProviderRegistry")<ProviderRegistry, ProviderRegistryService>()
{
  /** An empty registry. */
  static readonly make: Effect.Effect<ProviderRegistryService> = make

  /** An empty registry. */
  static readonly layer: Layer.Layer<ProviderRegistry> = Layer.effect(this, make)

  /** A layer that registers one provider. */
  static readonly provide = <E, R>(
    provider: Effect.Effect<Provider, E, R>
  ): Layer.Layer<never, E | DuplicateProvider | InvalidConfig, ProviderRegistry | Exclude<R, Scope.Scope>> =>
    Layer.scopedDiscard(Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      yield* registry.register(yield* provider)
    }))
}

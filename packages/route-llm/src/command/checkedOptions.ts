import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"

/** What an option takes; `expected` is said where a value is something else, and names the option. */
export const checked = <A>(holds: (value: A) => boolean, expected: string) =>
  Options.filterMap((value: A) => holds(value) ? Option.some(value) : Option.none(), expected)

const isPort = (value: number): boolean => value >= 0 && value <= 65_535

/** Where a dashboard listens. */
export const portOption = (description: string): Options.Options<Option.Option<number>> =>
  Options.integer("port").pipe(
    checked(isPort, "--port takes a whole number from 0 to 65535."),
    Options.withDescription(description),
    Options.optional
  )

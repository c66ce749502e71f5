import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { errorResponse } from "./responses.ts"

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

type Method = (typeof methods)[number]

/** Any other method of the path is answered with those there are. */
export const only =
  (path: HttpRouter.PathInput, ...allowed: ReadonlyArray<Method>) =>
  <E, R>(router: HttpRouter.HttpRouter<E, R>): HttpRouter.HttpRouter<E, R> => {
    // Whatever may be got may be asked for without its body.
    const allow = allowed.flatMap((method) => method === "GET" ? [method, "HEAD"] : [method]).join(", ")
    const refusal = HttpServerResponse.setHeader(
      errorResponse(405, "MethodNotAllowed", `${path} takes ${allow}.`),
      "allow",
      allow
    )
    return methods.filter((method) => !allowed.includes(method)).reduce(
      (routes, method) => HttpRouter.route(method)(routes, path, refusal),
      router
    )
  }

/**
 * @since 0.1.0
 */
export * as RouterStateRedis from "./RouterStateRedis.ts"

/** What libraries log to: pino's calling convention, fields first. A pino logger satisfies it as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const discard = (): void => undefined;

/** Swallows everything: the default where no logger was given. */
export const silentLogger: Logger = { debug: discard, info: discard, warn: discard, error: discard };

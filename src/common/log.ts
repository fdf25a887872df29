import { pino, type DestinationStream, type Logger } from "pino";
import { prettyFactory } from "pino-pretty";

export type Log = Logger;

/** Where lines go: a stream of the process, or anything that takes text. */
export interface LogOutput {
  write(text: string): unknown;
}

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace" | "silent";

/**
 * The root log: JSON lines, or text for people when `people` is true (a terminal). Constant sentences, facts in fields. Secrets are
 * `Secret` objects and print as such; the paths below are a second line of defence.
 */
export function createLog(options: { readonly level: LogLevel; readonly people: boolean; readonly stream: LogOutput }): Log {
  const prettify = prettyFactory({ colorize: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" });
  const destination: DestinationStream = {
    write: (line: string) => void options.stream.write(options.people ? prettify(line) : line),
  };
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ["authorization", "password", "token", "*.authorization", "*.password", "*.token", "headers"],
        censor: "[secret]",
      },
    },
    destination,
  );
}

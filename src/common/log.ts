import { pino, type DestinationStream, type Logger } from "pino";
import pretty from "pino-pretty";

export type Log = Logger;
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace" | "silent";

/**
 * The root log: JSON lines, or text for people when `people` is true (a terminal). Constant sentences, facts in fields. Secrets are
 * `Secret` objects and print as such; the paths below are a second line of defence.
 */
export function createLog(options: {
  readonly level: LogLevel;
  readonly people: boolean;
  readonly stream: NodeJS.WritableStream;
}): Log {
  const destination: DestinationStream = options.people
    ? pretty({ destination: options.stream, colorize: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l", sync: true })
    : { write: (line: string) => void options.stream.write(line) };
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

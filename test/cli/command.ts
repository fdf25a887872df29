import type { Clock } from "../../src/common/clock.ts";
import { systemClock } from "../../src/common/clock.ts";
import type { ExitStatus } from "../../src/cli/io.ts";
import { runProgram } from "../../src/cli/program.ts";
import type { Environment } from "../../src/config/load-config.ts";

export interface CommandOptions {
  /** Where it is called. */
  readonly folder?: string;
  readonly environment?: Environment;
  readonly clock?: Clock;
  /** Both outputs are terminals. */
  readonly terminal?: boolean;
}

export interface CommandResult {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that is under way. */
export interface RunningCommand {
  readonly stdout: () => string;
  /** When the outputs together hold this text. */
  until(text: string): Promise<void>;
  /** When it ends by itself. */
  readonly ended: Promise<CommandResult>;
  /** As Ctrl-C does. */
  stop(): Promise<CommandResult>;
}

/** One command line from its beginning to its end. */
export async function penstock(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return startCommand(args, options).ended;
}

export function startPenstock(args: readonly string[], options: CommandOptions = {}): RunningCommand {
  const command = startCommand(args, options);
  return {
    stdout: command.stdout,
    until: command.until,
    ended: command.ended,
    async stop() {
      command.abort.abort();
      return command.ended;
    },
  };
}

function startCommand(args: readonly string[], options: CommandOptions) {
  const { folder = import.meta.dirname, environment = {}, clock = systemClock, terminal = false } = options;
  const written = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  const outputTo = (name: keyof typeof written) => ({
    isTTY: terminal,
    write(text: string) {
      written[name] += text;
      for (const look of waiting) look();
    },
  });
  const abort = new AbortController();
  const io = { stdout: outputTo("stdout"), stderr: outputTo("stderr"), environment, folder, clock, stop: abort.signal };
  const ended = runProgram(args, io).then((status): CommandResult => ({ status, ...written }));
  const until = async (text: string): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (written.stdout.includes(text) || written.stderr.includes(text)) resolve();
    };
    waiting.add(look);
    look();
    void ended.finally(() => reject(new Error(`it ended before it wrote "${text}":\n${written.stdout}${written.stderr}`)));
    await promise.finally(() => waiting.delete(look));
  };
  return { abort, ended, until, stdout: () => written.stdout };
}

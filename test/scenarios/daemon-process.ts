import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";

/** The daemon as a process of its own, which a test may kill without a warning. */
export interface DaemonProcess {
  /** When a line of its log holds this text, one of before included. */
  untilLog(text: string): Promise<void>;
  /** kill -9: nothing is finished, nothing is said, all that it knew is gone. */
  kill(): Promise<void>;
  /** Everything logged so far, as JSON lines. */
  log(): string;
  /** SIGTERM; its exit status. */
  stop(): Promise<number | null>;
}

export function startDaemonProcess(configFile: string, environment: Readonly<Record<string, string>>): DaemonProcess {
  const main = join(import.meta.dirname, "../../src/main.ts");
  const child = spawn(process.execPath, [main, "run", "--config", configFile], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env["PATH"], ...environment },
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  child.on("close", () => {
    for (const look of waiting) look();
  });
  return {
    async untilLog(text) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => {
        if (lines.some((line) => line.includes(text))) resolve();
        else if (child.exitCode !== null) reject(new Error(`the daemon ended before it logged "${text}":\n${lines.join("\n")}`));
      };
      waiting.add(look);
      look();
      await promise.finally(() => waiting.delete(look));
    },
    log: () => lines.join("\n"),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    async stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

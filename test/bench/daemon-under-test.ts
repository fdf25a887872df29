import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import packageJson from "../../package.json" with { type: "json" };
import type { SentRequest } from "./count-requests.ts";
import { readUsage, type Usage } from "./process-usage.ts";

/** A line of the daemon's log. */
export interface LogLine {
  readonly atMs: number;
  readonly msg: string;
  readonly level: number;
  /** The key of the Job that it is about, or "". */
  readonly job: string;
  readonly text: string;
}

/** Penstock as anybody runs it, a process of its own with its log as JSON lines, which are read here for their times. */
export interface DaemonUnderTest {
  readonly pid: number;
  /** The newest line of which this is true, also one that was there before. */
  find(test: (line: LogLine) => boolean): LogLine | undefined;
  /** How many lines so far this is true of. */
  count(test: (line: LogLine) => boolean): number;
  /** So many of the newest lines. */
  newestLines(count: number): readonly string[];
  /** Lines at `warn` and `error` so far: a run with any of them measured something else. */
  complaints(): readonly string[];
  /** HTTP requests since its start, by origin. */
  countRequests(): Promise<Readonly<Record<string, number>>>;
  /** The newest of them, oldest first. */
  newestRequests(): Promise<readonly SentRequest[]>;
  usage(): Promise<Usage>;
  /** SIGTERM, and after a while SIGKILL. Ends when the process is gone. */
  stop(): Promise<void>;
}

const STOP_PATIENCE_MS = 10_000;
const ROOT = join(import.meta.dirname, "../..");
/** What `npm run penstock` starts, without npm in between: node's own options, and the file. */
const NODE_ARGUMENTS = packageJson.scripts.penstock.split(" ").slice(1);
const MAIN = NODE_ARGUMENTS.at(-1)!; // there always is one, or npm run penstock would start nothing
const COUNTER = join(import.meta.dirname, "count-requests.ts");

/** `penstock run` with what is set in `environment` alone; `nodeOptions` are for looking into it (`--cpu-prof`). */
export function startDaemonUnderTest(
  configFile: string,
  environment: Readonly<Record<string, string>> = {},
  nodeOptions: readonly string[] = [],
): DaemonUnderTest {
  const args = [...NODE_ARGUMENTS.slice(0, -1), ...nodeOptions, "--import", COUNTER, MAIN, "run", "--config", configFile];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { PATH: process.env["PATH"], PENSTOCK__LOG__LEVEL: "debug", ...environment },
  });
  const { pid, stderr } = child;
  if (pid === undefined || stderr === null) throw new Error("the daemon could not be started");
  const lines: LogLine[] = [];
  createInterface({ input: stderr }).on("line", (text) => lines.push(readLine(text)));
  const ended = once(child, "exit");
  const throwIfEnded = (): void => {
    if (child.exitCode === null && child.signalCode === null) return;
    const last = lines.slice(-10).map(({ text }) => text);
    throw new Error(`the daemon ended by itself; its last lines:\n${last.join("\n")}`);
  };
  const ask = async (question: string): Promise<unknown> => {
    throwIfEnded();
    const answer = once(child, "message");
    child.send(question);
    const [found] = (await answer) as [unknown];
    return found;
  };
  return {
    pid,
    find(test) {
      throwIfEnded();
      return lines.findLast(test);
    },
    count: (test) => lines.filter(test).length,
    newestLines: (count) => lines.slice(-count).map(({ text }) => text),
    complaints: () => lines.filter(({ level }) => level >= 40).map(({ text }) => text),
    countRequests: async () => ask("count") as Promise<Readonly<Record<string, number>>>,
    newestRequests: async () => ask("newest") as Promise<readonly SentRequest[]>,
    usage: async () => readUsage(pid),
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_PATIENCE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** What is no JSON line, such as Node's own words on its way down, is an error. */
function readLine(text: string): LogLine {
  try {
    const { time, msg, level, job } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      atMs: Date.parse(String(time)),
      msg: String(msg),
      level: Number(level),
      job: typeof job === "string" ? job : "",
      text,
    };
  } catch {
    return { atMs: Date.now(), msg: text, level: 50, job: "", text };
  }
}

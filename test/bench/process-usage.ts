import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";

/** What the system says of a process. */
export interface Usage {
  /** In user and system mode since its start, its ended threads included. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]).toString());

/** From `/proc`, so on Linux only. */
export async function readUsage(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all(["stat", "status"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8")));
  // The second field is the command in parentheses and may hold blanks: counted from behind it, utime and stime are 12th and 13th.
  const fields = stat!.slice(stat!.lastIndexOf(")") + 2).split(" ");
  const rssKilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status!)?.[1];
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssBytes: Number(rssKilobytes) * 1024,
  };
}

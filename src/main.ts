#!/usr/bin/env -S node --optimize-for-size --liftoff-only
import process from "node:process";
import { runProgram } from "./cli/program.ts";
import { systemClock } from "./common/clock.ts";
import { SteadyClock } from "./common/steady-clock.ts";

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
}

const status = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  folder: process.cwd(),
  clock: new SteadyClock(systemClock),
  stop: stop.signal,
});
process.exit(status);

import { resolve } from "node:path";
import { formatProblem } from "../common/problem.ts";
import { countOf } from "../common/text.ts";
import { createConfigLoader, type LoadedConfig } from "../config/load-config.ts";
import { paint, printLine, type Io } from "./io.ts";

/** The configuration and the files that it consists of, or undefined after everything that is wrong with it was printed. */
export async function readConfig(
  io: Io,
  path: string,
  load = createConfigLoader(resolve(io.folder, path), io.environment),
): Promise<(LoadedConfig & { readonly kind: "loaded" }) | undefined> {
  const loaded = await load(io.stop);
  if (loaded.kind === "invalid") {
    for (const problem of loaded.problems) printLine(io.stderr, formatProblem(problem));
    printLine(io.stderr, paint(io, io.stderr, "red", `${countOf(loaded.problems.length, "problem")} in the configuration`));
    return undefined;
  }
  for (const notice of loaded.notices) printLine(io.stderr, paint(io, io.stderr, "yellow", formatProblem(notice)));
  return loaded;
}

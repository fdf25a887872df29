import { styleText } from "node:util";
import type { Clock } from "../common/clock.ts";
import type { Environment } from "../config/load-config.ts";

/** Everything that a command touches of its process. `main.ts` fills it in; tests bring their own. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Environment;
  readonly folder: string;
  readonly clock: Clock;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly stop: AbortSignal;
}

export interface Output {
  write(text: string): unknown;
  /** A terminal: then there is somebody who likes colour. */
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** 0 all is well; 1 something has to be looked after; 2 wrong use, wrong configuration or trouble. */
export type ExitStatus = 0 | 1 | 2;

export type Colour = "green" | "yellow" | "red" | "gray" | "bold" | "cyan";

/** The text in colour on a terminal, plain elsewhere and with `NO_COLOR`. */
export function paint(io: Pick<Io, "environment">, output: Output, colour: Colour, text: string): string {
  const wanted = output.isTTY === true && (io.environment["NO_COLOR"] ?? "") === "";
  return wanted ? styleText(colour, text, { validateStream: false }) : text;
}

export function printLine(output: Output, text = ""): void {
  output.write(`${text}\n`);
}

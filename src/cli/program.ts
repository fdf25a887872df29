import { Command, CommanderError, Option } from "commander";
import { messageOf } from "../common/errors.ts";
import type { ExitStatus, Io } from "./io.ts";
import { printLine } from "./io.ts";
import { plan, type PlanOptions } from "./plan.ts";
import { run, type RunOptions } from "./run.ts";
import { status, type StatusOptions } from "./status.ts";
import { validate, type ValidateOptions } from "./validate.ts";
import { VERSION } from "../common/version.ts";

/** Runs one command line (without `node` and the script) and says how the process is to end. Never throws. */
export async function runProgram(args: readonly string[], io: Io): Promise<ExitStatus> {
  let result: ExitStatus = 0;
  const program = buildProgram(io, (found) => (result = found));
  try {
    await program.parseAsync(args, { from: "user" });
    return result;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printLine(io.stderr, `penstock failed: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`);
    return 2;
  }
}

function buildProgram(io: Io, finish: (result: ExitStatus) => void): Command {
  const program = new Command("penstock")
    .description(
      "GitOps for Apache Flink without Kubernetes: what a Git repository declares runs on your Flink session clusters.",
    )
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError("(--help shows what there is)");
  program
    .command("run")
    .description(
      "The daemon: pulls the repository, starts what is declared, commits the status back. Ends on Ctrl-C and SIGTERM.",
    )
    .addOption(configOption())
    .option("--once", "end as soon as nothing more can happen without a change outside", false)
    .option("--timeout <duration>", "with --once: end after this time at the latest", "10m")
    .addHelpText(
      "after",
      "\nExit status: 0 all is well; 1 with --once, a problem, a refusal or an unhealthy Job remains; 2 wrong use or configuration.",
    )
    .action(async (options: RunOptions) => finish(await run(io, options)));

  program
    .command("validate")
    .description("Checks the manifests of a repository's folder, or single files, without any network.")
    .argument("[paths...]", "folders or files; the current folder when none is given")
    .option("--watch", "check again after each change, until Ctrl-C", false)
    .addOption(outputOption())
    .addHelpText("after", "\nExit status: 0 no problems; 1 problems; 2 trouble.")
    .action(async (paths: string[], options: ValidateOptions) => finish(await validate(io, paths, options)));

  program
    .command("plan")
    .description(
      "Says what `run` would do now, and changes nothing: for each resource why, slots, state, interruption, problems.",
    )
    .addOption(configOption())
    .option("--dir <folder>", "plan this folder in place of the branch's head; it stands for the repository's root")
    .option("--ref <ref>", "plan another branch of the repository, or a full ref such as refs/pull/7/head")
    .addOption(outputOption(["text", "json", "markdown"]))
    .addHelpText(
      "after",
      "\nExit status: 0 nothing to do; 1 changes, refusals or held deletions; 2 problems in the planned tree, or trouble.",
    )
    .action(async (options: PlanOptions) => finish(await plan(io, options)));

  program
    .command("status")
    .description("Shows the status branch: every resource, or one in detail.")
    .argument("[name]", "a resource's name, or project/name")
    .addOption(configOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExit status: 0 all is well; 1 something is unhealthy; 2 trouble.")
    .action(async (name: string | undefined, options: StatusOptions) => finish(await status(io, name, options)));

  return program;
}

function configOption(): Option {
  return new Option("--config <file>", "the daemon's configuration, see config/penstock.yaml").makeOptionMandatory();
}

function outputOption(forms: readonly string[] = ["text", "json"]): Option {
  return new Option("--output <form>", "for people or for programs").choices(forms).default("text");
}

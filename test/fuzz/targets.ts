import type { Target } from "./fuzzer.ts";
import { manifestBytes, manifestDocuments } from "./manifest-targets.ts";
import {
  classFiles,
  configurations,
  flinkAnswers,
  gitBytes,
  jars,
  statusDocuments,
  summaries,
  webhooks,
} from "./other-targets.ts";

/** With how many inputs make about half a second. */
export type SizedTarget = Target & { readonly runs: number };

/** Everything that takes foreign bytes. `FUZZ_TARGET` picks one, `FUZZ_INPUT` (Base64) is the one input that all begin with. */
export async function openTargets(): Promise<{ readonly targets: readonly SizedTarget[]; readonly clean: () => void }> {
  const zips = jars();
  const all: readonly SizedTarget[] = [
    { ...manifestBytes(), runs: 150 },
    { ...manifestDocuments(), runs: 60 },
    { ...statusDocuments(), runs: 50 },
    { ...summaries(), runs: 200 },
    { ...configurations(), runs: 20 },
    { ...zips, runs: 200 },
    { ...classFiles(), runs: 1500 },
    { ...webhooks(), runs: 1000 },
    { ...(await flinkAnswers()), runs: 1000 },
    { ...gitBytes(), runs: 1000 },
  ];
  const wanted = process.env["FUZZ_TARGET"];
  const input = process.env["FUZZ_INPUT"];
  const first = input === undefined ? [] : [Buffer.from(input, "base64")];
  const targets: SizedTarget[] = [];
  for (const target of all)
    if (wanted === undefined || target.name === wanted) targets.push({ ...target, seeds: [...first, ...target.seeds] });
  return { targets, clean: zips.clean };
}

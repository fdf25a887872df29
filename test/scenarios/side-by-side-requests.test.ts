import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startFakeForge } from "../support/fake-forge.ts";
import { aJob, anArtifact, aRunningJob } from "./manifests.ts";
import { createWorld, isRunning } from "./world.ts";

const BRANCH = "penstock/previews";

it("two daemons side by side keep one plan and one comment for a request, and rewrite neither when nothing moves", async () => {
  await using forge = await startFakeForge("github");
  const folder = await mkdtemp(join(tmpdir(), "penstock-forge-"));
  await using _ = { [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) };
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${forge.token}\n`);
  const { repository, url } = forge;
  await using world = await createWorld({ config: { forge: { kind: "github", url, tokenFile, repository } } });
  const commit = await world.push(await aRunningJob("orders"));
  const daemons = [world.startDaemon(), world.startDaemon()];
  for (const daemon of daemons) await daemon.untilJob("orders", isRunning);
  for (const daemon of daemons) await daemon.untilAtRest();

  forge.openRequest(7);
  const files = { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 4 }) };
  const head = await world.git.commitFiles("jobs", "work", files, "change", { parent: commit });
  await world.git.deleteBranch("jobs", "work");
  await world.git.git("jobs", ["update-ref", "refs/pull/7/head", head]);
  const plans = async (): Promise<number> =>
    (await world.git.head("jobs", BRANCH)) === undefined ? 0 : (await world.git.log("jobs", BRANCH)).length;
  for (let tries = 0; tries < 400 && forge.comments.length === 0; tries += 1) await daemons[0]!.passes(1);
  expect(forge.comments).toHaveLength(1);
  // Both plan again, at different times, whatever is live moves.
  world.clock.pass(60_000);
  for (const daemon of daemons) await daemon.passes(10);
  for (const daemon of daemons) await daemon.untilAtRest();
  const [commits, status] = [await plans(), await world.statusCommits()];
  for (const daemon of daemons) await daemon.passes(30);
  expect([await plans(), await world.statusCommits()]).toEqual([commits, status]);
  expect(forge.comments).toHaveLength(1);
  for (const daemon of daemons) expect(daemon.logged("warn", "error")).toEqual([]);
});

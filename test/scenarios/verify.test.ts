import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildMirrorMessage } from "../../src/git/mirror-commit.ts";
import type { FileChange } from "../support/git-repositories.ts";
import { joinKeys, signHead, Signing, type Signer } from "../support/signing.ts";
import { aJob, anArtifact, aRunningJob } from "./manifests.ts";
import { isOnBranch } from "./running-daemon.ts";
import { createWorld, has, isRunning, STATUS_BRANCH, untilCheckpointed, type World, type WorldOptions } from "./world.ts";

let signing: Signing;
let ada: Signer;
let forge: Signer;
let stranger: Signer;
let keys: string;

beforeAll(async () => {
  signing = await Signing.create();
  ada = await signing.ssh("ada");
  forge = await signing.gpg("forge");
  stranger = await signing.ssh("stranger");
  keys = await joinKeys(`${signing.folder}/allowed`, [ada, forge]);
}, 60_000);

afterAll(() => signing[Symbol.asyncDispose]());

async function createVerifyingWorld(options: WorldOptions = {}): Promise<World> {
  return createWorld({ ...options, repository: { verify: { keys: [{ file: keys }] } } });
}

/** A commit that main shows only when it is signed. */
async function pushSigned(world: World, signer: Signer, files: Readonly<Record<string, FileChange>>, message = "change") {
  const main = await world.git.head("jobs", "main");
  const made = await world.git.commitFiles("jobs", "next", files, message, { parent: main ?? "none" });
  expect(made).toHaveLength(40);
  const oid = await signHead(world.git.folderOf("jobs"), "next", signer);
  await world.git.setBranch("jobs", "main", oid);
  return oid;
}

/** The summary and the page of the status branch. */
async function told(
  world: World,
): Promise<{ readonly refused?: string; readonly appliedCommit: string; readonly readme: string }> {
  return { ...(await world.summary()), readme: await world.git.readFile("jobs", STATUS_BRANCH, "README.md") };
}

describe.concurrent("with repository.verify", () => {
  it("a signed commit is applied, and one that is not signed by a listed key changes nothing and is told", async () => {
    await using world = await createVerifyingWorld();
    const signed = await pushSigned(world, ada, await aRunningJob());
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    for (const sign of [undefined, stranger]) {
      const files = { "orders.yaml": null, "new.yaml": anArtifact("new") + aJob("new") };
      const refused = sign === undefined ? await world.push(files, "Delete all") : await pushSigned(world, sign, files);
      await daemon.until(
        "it is refused",
        (pass) => pass.snapshot.refused?.includes(refused.slice(0, 12)) === true && isOnBranch(pass),
      );
      await daemon.passes(5);
      const { appliedCommit, refused: because, readme } = await told(world);
      expect(because).toContain(`commit ${refused.slice(0, 12)} is refused by repository.verify: it is`);
      expect(because).toContain(sign === undefined ? "it is not signed" : "which is not listed in repository.verify.keys");
      expect(because).toContain(`commit ${signed.slice(0, 12)}, the last verified one, stays in force`);
      expect(readme).toContain("**Not applied:** commit");
      expect(appliedCommit).toBe(signed);
      expect(await world.job("new")).toBeUndefined();
      expect((await world.job("orders"))!.status.flinkJobState).toBe("Running");
    }
    // Signed by the forge: it vouches for all that lies below.
    const vouched = await pushSigned(world, forge, {}, "Merge");
    await daemon.untilJob("orders", has("Deleted", "Tombstone"));
    expect(await told(world)).toMatchObject({ appliedCommit: vouched });
    expect((await told(world)).refused).toBeUndefined();
    expect(daemon.logged("warn").filter((line) => JSON.stringify(line).includes("not applied"))).toHaveLength(2);
  });

  it("a daemon that has just begun heals by the commit that was applied last, when the head does not count", async () => {
    await using world = await createVerifyingWorld();
    const signed = await pushSigned(world, ada, await aRunningJob());
    const first = world.startDaemon();
    const { flinkJobId } = await first.untilJob("orders", isRunning);
    await untilCheckpointed(world, first, flinkJobId!);
    await first.stop();
    await world.push({ "orders.yaml": null }, "Delete it");

    const second = world.startDaemon();
    await second.until("the head is refused", (pass) => pass.snapshot.refused !== undefined && pass.snapshot.commit === signed);
    world.flink.setJobState(flinkJobId!, "FAILED", "out of memory");
    await second.untilJob("orders", (status) => isRunning(status) && status.flinkJobId !== flinkJobId);
    expect((await world.job("orders"))!.status).toMatchObject({ startedFrom: { kind: "Checkpoint" }, phase: "Ready" });
    expect(await told(world)).toMatchObject({ appliedCommit: signed });
  });

  it("nothing is started or written as long as no commit counts", async () => {
    await using world = await createVerifyingWorld();
    await world.push(await aRunningJob());
    const daemon = world.startDaemon();
    const { because } = await daemon.untilBlind();
    expect(because).toContain("is refused by repository.verify: it is not signed");
    expect(because).toContain("no verified commit was applied before, so nothing is started, changed or deleted");
    expect(world.flink.jobs).toEqual([]);
    expect(await world.git.head("jobs", STATUS_BRANCH)).toBeUndefined();
    await pushSigned(world, ada, {}, "I have read it");
    await daemon.untilJob("orders", isRunning);
  });

  it("a recorded commit that is not signed is not believed", async () => {
    await using world = await createVerifyingWorld();
    await pushSigned(world, ada, await aRunningJob());
    const first = world.startDaemon();
    await first.untilJob("orders", isRunning);
    await first.stop();
    const evil = await world.push({ "evil.yaml": anArtifact("evil") + aJob("evil") });
    const summary = await world.git.readFile("jobs", STATUS_BRANCH, "summary.yaml");
    const forged = summary.replace(/^appliedCommit: .*$/m, `appliedCommit: ${evil}`);
    expect(forged).not.toBe(summary);
    await world.git.commitFiles("jobs", STATUS_BRANCH, { "summary.yaml": forged }, "forged");
    const second = world.startDaemon();
    expect((await second.untilBlind()).because).toContain("no verified commit was applied before");
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("wishes in trailers count where their own commit is signed", async () => {
    await using world = await createVerifyingWorld();
    const names = ["a", "b", "c", "d", "e", "f"];
    const files = {
      ...(await aRunningJob()),
      "jobs.yaml": names.map((name) => aJob(name, { artifact: "orders", rpus: 0 })).join(""),
    };
    await pushSigned(world, ada, files);
    const daemon = world.startDaemon();
    await daemon.untilJob("f", has("Started", "Suspended"));
    await daemon.untilJob("orders", isRunning);
    await daemon.stop();
    await world.push({ "orders.yaml": null, "jobs.yaml": null }, "Delete\n\nPenstock-Allow-Deletions: 7");
    await pushSigned(world, forge, { "README.md": "1" }, "Merge");
    const second = world.startDaemon();
    await second.untilJob("orders", ({ conditions }) =>
      conditions.some(({ type, status }) => type === "Deleted" && status === "False"),
    );
    await pushSigned(world, ada, { "README.md": "2" }, "Yes\n\nPenstock-Allow-Deletions: 7");
    await second.untilJob("orders", has("Deleted", "Tombstone"));
  });

  it("a mirror of the status on a signed commit is looked through, and one that only says that it is one is refused", async () => {
    await using world = await createVerifyingWorld({ config: { status: { target: "inline" } } });
    const signed = await pushSigned(world, ada, await aRunningJob());
    const first = world.startDaemon();
    await first.untilJob("orders", isRunning);
    await first.until("it is mirrored", (pass) => pass.unmirrored.length === 0 && isOnBranch(pass));
    await first.stop();
    const mirror = (await world.git.head("jobs", "main"))!;
    expect(mirror).not.toBe(signed);
    const second = world.startDaemon();
    const at = await second.until("the mirror is looked through", (pass) => pass.snapshot.head.oid === mirror);
    expect(at.snapshot).toMatchObject({ commit: signed });
    expect(at.snapshot.refused).toBeUndefined();

    const text = (await world.git.readFile("jobs", "main", "orders.yaml")).replace("rpus: 2", "rpus: 3");
    expect(text).toContain("rpus: 3");
    await world.git.commitFiles("jobs", "next", { "orders.yaml": text }, "x", { parent: mirror });
    const tree = (await world.git.git("jobs", ["rev-parse", "next^{tree}"])).toString().trim();
    const message = buildMirrorMessage("test", ["default/orders: Ready → Ready, Running"], tree);
    const forged = (await world.git.git("jobs", ["commit-tree", tree, "-p", mirror, "-m", message])).toString().trim();
    await world.git.setBranch("jobs", "main", forged);
    const refused = await second.until("it is refused", (pass) => pass.snapshot.refused !== undefined && isOnBranch(pass));
    expect(refused.snapshot.refused).toContain(
      "it is not signed, and changes orders.yaml, although it says that it only mirrors statuses",
    );
    expect((await world.job("orders"))!.status).toMatchObject({ requestedRpus: 2 });
    expect(await world.git.head("jobs", "main")).toBe(forged); // nothing is mirrored on top of what is refused
  });
});

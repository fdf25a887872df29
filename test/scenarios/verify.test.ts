import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { specDigits } from "../../src/model/canonical-spec.ts";
import { parseStatusDocument } from "../../src/model/status-document.ts";
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

/** The record of a Job whose arguments somebody has changed, with the digits in its id that they give. */
function forgeSpec(text: string): string {
  // The spec comes first, then what was frozen of the Artifact.
  const withArguments = text
    .replace(/^( +)(entryClass: .*)$/m, "$1$2\n$1mainArgs:\n$1  - --evil")
    .replace(/^( +)mainArgs: \[\]$/m, "$1mainArgs:\n$1  - --evil");
  const parsed = parseStatusDocument("local/default/job/orders.yaml", withArguments);
  if ("problem" in parsed || parsed.record.kind !== "Job") throw new Error(JSON.stringify(parsed));
  const { flinkJobId = "" } = parsed.record.status;
  return withArguments.replaceAll(flinkJobId, flinkJobId.slice(0, 18) + specDigits(parsed.record.spec) + flinkJobId.slice(24));
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

  it.each([
    ["a spec, with the job id that belongs to it", (text: string) => forgeSpec(text), "its spec does not stand in commit"],
    ["other arguments", (text: string) => text.replace(/^( {6}mainArgs:).*$/m, "$1\n        - --evil"), "the arguments"],
    [
      "a commit that is not signed",
      (text: string, evil: string) => forgeSpec(text).replace(/^(    commit:) .*$/m, `$1 ${evil}`),
      "does not count: it is not signed",
    ],
    [
      "state of somebody else",
      (text: string) =>
        text
          .replace(/^  startedFrom:\n(?: {4}.*\n)*/m, "")
          .replace(/^  run: 1$/m, "  run: 1\n  startedFrom:\n    kind: Savepoint\n    uri: s3://evil/savepoint"),
      "lies in no checkpoint or savepoint directory of its zone",
    ],
  ] as const)("a record that was given %s starts nothing", async (_, forge_, because) => {
    await using world = await createVerifyingWorld();
    await pushSigned(world, ada, await aRunningJob());
    const first = world.startDaemon();
    const { flinkJobId } = await first.untilJob("orders", isRunning);
    await first.stop();
    const evil = await world.git.commitFiles(
      "jobs",
      "evil",
      { "orders.yaml": aJob("orders", { mainArgs: ["--evil"] }) },
      "evil",
      {
        parent: (await world.git.head("jobs", "main"))!,
      },
    );
    const path = "local/default/job/orders.yaml";
    const text = await world.git.readFile("jobs", STATUS_BRANCH, path);
    const forged = forge_(text, evil);
    expect(forged).not.toBe(text);
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [path]: forged }, "forged");
    const runs = world.flink.jobs.length;
    world.flink.setJobState(flinkJobId!, "FAILED", "out of memory");
    const second = world.startDaemon();
    await second.until("it is told", (pass) =>
      JSON.stringify([pass.update.summary.problems, pass.decisions.jobs]).includes(because),
    );
    await second.passes(10);
    expect(world.flink.jobs).toHaveLength(runs);
  });

  it("a record of a refused change is proven by the older commit that was accepted, and so is its jar", async () => {
    await using world = await createVerifyingWorld();
    const accepted = await pushSigned(world, ada, await aRunningJob());
    const first = world.startDaemon();
    const { flinkJobId } = await first.untilJob("orders", isRunning);
    await untilCheckpointed(world, first, flinkJobId!);
    await pushSigned(world, ada, {
      "orders.yaml": anArtifact("orders") + aJob("orders", { mainArgs: ["--new"] }),
      "jars/counter.jar": "another",
    });
    await first.untilJob("orders", has("Accepted", "SpecChanged"));
    await first.stop();
    world.flink.setJobState(flinkJobId!, "FAILED", "out of memory");
    const second = world.startDaemon();
    await second.untilJob("orders", (status) => isRunning(status) && status.flinkJobId !== flinkJobId);
    expect((await world.job("orders"))!.status).toMatchObject({
      source: { commit: accepted },
      startedFrom: { kind: "Checkpoint" },
    });
  });

  it("a jar that the record names in a commit that is not signed is not fetched", async () => {
    await using world = await createVerifyingWorld();
    await pushSigned(world, ada, await aRunningJob());
    const first = world.startDaemon();
    const { flinkJobId } = await first.untilJob("orders", isRunning);
    await untilCheckpointed(world, first, flinkJobId!);
    await first.stop();
    const evil = await world.git.commitFiles("jobs", "evil", { "jars/counter.jar": "evil" }, "evil", {
      parent: (await world.git.head("jobs", "main"))!,
    });
    const blob = (await world.git.git("jobs", ["rev-parse", `${evil}:jars/counter.jar`])).toString().trim();
    const path = "local/default/artifact/orders.yaml";
    const text = await world.git.readFile("jobs", STATUS_BRANCH, path);
    const forged = text.replace(/^  bytes:\n.*\n.*$/m, `  bytes:\n    commit: ${evil}\n    blob: ${blob}`);
    expect(forged).not.toBe(text);
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [path]: forged }, "forged");
    world.flink.setJobState(flinkJobId!, "FAILED", "out of memory");
    const second = world.startDaemon();
    await second.until("it is told", (pass) =>
      pass.update.summary.problems.some((problem) => problem.includes("does not count: it is not signed")),
    );
    await second.passes(10);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("the plan of a request says whether its head would count", async (context) => {
    await using world = await createVerifyingWorld();
    const main = await pushSigned(world, ada, await aRunningJob());
    for (const [number, signer] of [
      [1, ada],
      [2, undefined],
    ] as const) {
      await world.git.commitFiles("jobs", `request-${number}`, { "notes.yaml": `# ${number}` }, "request", { parent: main });
      if (signer !== undefined) await signHead(world.git.folderOf("jobs"), `request-${number}`, signer);
      const head = (await world.git.head("jobs", `request-${number}`))!;
      await world.git.git("jobs", ["update-ref", `refs/pull/${number}/head`, head]);
    }
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await context.expect
      .poll(async () => (await world.git.head("jobs", "penstock/previews")) !== undefined, { timeout: 40_000 })
      .toBe(true);
    const plan = async (number: number): Promise<string> =>
      world.git.readFile("jobs", "penstock/previews", `${number}.json`).catch(() => "");
    await context.expect.poll(async () => plan(1), { timeout: 30_000 }).toContain("its head is signed by the SSH key SHA256:");
    await context.expect
      .poll(async () => plan(2), { timeout: 30_000 })
      .toContain("its head would not be applied as it stands: it is not signed");
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

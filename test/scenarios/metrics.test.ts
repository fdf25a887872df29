import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { giteaPush, githubPush } from "../support/deliveries.ts";
import { aJob, anArtifact, aRunningJob } from "./manifests.ts";
import { createServedWorld, type ServedWorld, WEBHOOK_SECRET } from "./served-world.ts";
import { has, isRunning } from "./world.ts";

/** What Prometheus itself says of the exposition; it has to be here, see test/preflight.ts. Throws with what it finds. */
function checkWithPromtool(text: string): string {
  return execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8", stdio: "pipe" });
}

class Exposition {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The value of the one sample of this name whose labels are these, whatever else it has. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    const lines = this.text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    const found = lines.filter((line) => wanted.every((label) => line.includes(label)));
    if (found.length > 1) throw new Error(`more than one:\n${found.join("\n")}`);
    return found[0] === undefined ? undefined : Number(found[0].slice(found[0].lastIndexOf(" ") + 1));
  }

  series(): number {
    return this.text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  }
}

async function scrape(served: ServedWorld): Promise<Exposition> {
  return new Exposition(await (await served.fetch("metrics")).text());
}

const MAIN = { zone: "local", cluster: "main" };

describe.concurrent("/metrics", () => {
  it("follows Prometheus' conventions, before anything happened and after", async () => {
    await using served = await createServedWorld();
    await served.daemon.untilBlind();
    expect(checkWithPromtool((await scrape(served)).text)).toBe("");
    await served.daemon.untilApplied(await served.world.push(await aRunningJob("orders")));
    await served.daemon.untilJob("orders", isRunning);
    expect(checkWithPromtool((await scrape(served)).text)).toBe("");
    expect(() => checkWithPromtool("penstock_things_count 1\n")).toThrow(); // so that silence means something
  });

  it("has every metric that the README lists, and no other", async () => {
    await using served = await createServedWorld();
    const { text } = await scrape(served);
    const exposed = [...text.matchAll(/^# TYPE (penstock_\w+) /gm)].map((match) => match[1]!);
    const readme = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
    const listed = [...readme.matchAll(/`(penstock_\w+)`/g)].map((match) => match[1]!);
    expect(listed.toSorted()).toEqual(exposed.toSorted());
  });

  it("counts a commit's way to its first checkpoint, and what it took", async () => {
    await using served = await createServedWorld({}, async (world) => world.push({ "README.md": "# Our jobs\n" }));
    await served.daemon.until("a first pass", () => true);
    await served.world.push(await aRunningJob("orders"));
    await served.daemon.untilJob("orders", isRunning);
    served.world.clock.pass(120_000);
    await served.daemon.untilJob("orders", has("Recoverable", "CheckpointCompleted"));
    await served.daemon.untilAtRest();
    const now = await scrape(served);
    for (const step of ["commit_to_seen", "seen_to_applied", "applied_to_running", "running_to_first_checkpoint"])
      expect([step, now.value(`penstock_${step}_seconds_count`)]).toEqual([step, 1]);
    expect(now.value("penstock_running_to_first_checkpoint_seconds_sum")).toBeGreaterThanOrEqual(120);
    expect(now.value("penstock_actions_total", { ...MAIN, kind: "start", result: "accepted" })).toBe(1);
    expect(now.value("penstock_cluster_submissions_total", MAIN)).toBe(1);
    expect(now.value("penstock_jobs", { zone: "local", phase: "Ready", state: "Running", health: "healthy" })).toBe(1);
    expect(now.value("penstock_artifacts", { zone: "local", phase: "Ready" })).toBe(1);
    expect(now.value("penstock_cluster_slots", MAIN)).toBe(8);
    expect(now.value("penstock_cluster_slots_free", MAIN)).toBe(6);
    expect(now.value("penstock_flink_requests_total", { ...MAIN, endpoint: "POST /jars/:id/run", outcome: "ok" })).toBe(1);
    expect(now.value("penstock_flink_requests_total", { endpoint: "other" })).toBeUndefined();
    expect(now.value("penstock_git_request_duration_seconds_count", { operation: "push", outcome: "ok" })).toBeGreaterThan(1);
    expect(now.value("penstock_status_pushes_total", { result: "written" })).toBeGreaterThan(1);
    expect(now.value("penstock_artifact_downloads_total", { source: "path", result: "fetched" })).toBe(1);
    expect(now.value("penstock_artifact_download_bytes_total", { source: "path" })).toBe(now.value("penstock_artifact_bytes"));
    expect(now.value("penstock_passes_total", { result: "nothing-to-write" })).toBeGreaterThan(0);
    expect(now.value("penstock_pass_duration_seconds_count")).toBeGreaterThan(2);
    expect(now.value("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
  });

  it("counts what goes wrong: refused starts, lost clusters, conflicts, webhooks without proof", async () => {
    await using served = await createServedWorld({}, async (world) => {
      world.flink.failRuns(1, "main-threw", "no such topic");
      await world.push({ ...(await aRunningJob("orders")), "bad.yaml": aJob("bad", { rpus: -1 }) });
    });
    const { world, daemon } = served;
    await daemon.untilJob("orders", has("Started", "ProgramFailed"));
    world.clock.pass(300_000);
    await daemon.untilJob("orders", isRunning);
    let others = 0;
    world.git.before({ service: "git-receive-pack", step: "call", times: 1 }, async () => {
      others += 1;
      await world.git.commitFiles("jobs", "penstock/status", { "note.txt": "hello" }, "somebody else's");
    });
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 3 }) });
    await daemon.until("a conflict", ({ published }) => published.kind === "conflict");
    expect(others).toBe(1);
    await served.deliver(githubPush(WEBHOOK_SECRET));
    await served.deliver(giteaPush("a guess"));
    await world.flink.refuse();
    await daemon.until("it is away", ({ observed }) => observed.clusters[0]?.kind === "unreachable");
    while ((await scrape(served)).value("penstock_cluster_breaker", { ...MAIN, state: "open" }) !== 1) await daemon.passes(1);
    const now = await scrape(served);
    expect(now.value("penstock_actions_total", { ...MAIN, kind: "start", result: "refused" })).toBe(1);
    expect(now.value("penstock_status_pushes_total", { result: "conflict" })).toBe(1);
    expect(now.value("penstock_webhooks_total", { forge: "github", outcome: "wake" })).toBe(1);
    expect(now.value("penstock_webhooks_total", { forge: "gitea", outcome: "unproven" })).toBe(1);
    expect(now.value("penstock_webhooks_total", { forge: "gitlab", outcome: "wake" })).toBe(0);
    expect(now.value("penstock_cluster_reachable", MAIN)).toBe(0);
    expect(now.value("penstock_cluster_slots", MAIN)).toBeUndefined();
    expect(now.value("penstock_cluster_breaker", { ...MAIN, state: "closed" })).toBe(0);
    expect(now.value("penstock_manifest_problems")).toBe(1);
  });

  it("grows with the configuration, and not with the jobs", async () => {
    await using served = await createServedWorld({ flink: { slots: 40 } }, async (world) =>
      world.push(await aRunningJob("orders")),
    );
    await served.daemon.untilJob("orders", isRunning);
    await served.daemon.untilAtRest();
    const few = (await scrape(served)).series();
    const names = Array.from({ length: 12 }, (_, index) => `job-${index}`);
    await served.world.push({ "more.yaml": names.map((name) => aJob(name, { artifact: "orders", rpus: 1 })).join("") });
    for (const name of names) await served.daemon.untilJob(name, isRunning);
    const many = await scrape(served);
    // The first commit that came while it ran has other steps than the one before; that is all that is new.
    expect(many.series() - few).toBeLessThan(30);
    expect(many.text).not.toContain("job-3");
  });
});

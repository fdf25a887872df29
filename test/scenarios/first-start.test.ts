import { afterEach, describe, expect, it } from "vitest";
import { aJob, anArtifact, counterJar, createWorld, type World } from "./world.ts";

describe("a pushed manifest", () => {
  let world: World;
  afterEach(async () => world.close());

  it("runs on Flink, and its status comes back in Git", async () => {
    world = await createWorld();
    const daemon = world.startDaemon();
    await world.push({ "jobs.yaml": `${anArtifact("orders")}---\n${aJob("orders")}`, "jars/counter.jar": await counterJar() });
    await daemon.until(
      "the job runs and nothing is left to write",
      (pass) => isRunning(pass, "orders") && pass.published.kind === "nothing-to-write",
    );
    const job = await world.status("local/default/job/orders.yaml");
    expect(job?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running", run: 1, parallelism: 2 });
    expect(world.flink.jobs.map(({ flinkJobId }) => flinkJobId)).toEqual([job?.status.flinkJobId]);
    expect(await world.statusCommits()).toContainEqual(expect.stringMatching(/^default\/orders: Pending → Ready, Running/));
  });
});

function isRunning(
  pass: { readonly update: { readonly records: ReadonlyMap<string, { readonly kind: string; readonly status: object }> } },
  name: string,
): boolean {
  const record = pass.update.records.get(`local/default/job/${name}`);
  return record !== undefined && "flinkJobState" in record.status && record.status.flinkJobState === "Running";
}

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOptionsJobCluster, type OptionsJobCluster } from "../support/options-job.ts";

/** A few of each kind; test/long/options.test.ts has them all, on every version. */
describe("options of a Job on Flink 1.16.3, through the launcher", () => {
  let cluster: OptionsJobCluster;

  beforeAll(async () => {
    cluster = await startOptionsJobCluster("1.16.3");
  });

  afterAll(async () => cluster?.close());

  const written = {
    "execution.checkpointing.interval": "700ms",
    "state.backend.type": "rocksdb", // by the names of a newer version
    "execution.checkpointing.incremental": "true",
    "pipeline.max-parallelism": "64",
    "table.exec.state.ttl": "36 h",
    "table.exec.mini-batch.size": "50",
  };

  it("are in effect for a program of the DataStream API", async () => {
    const run = await cluster.run({ ...written, "pipeline.global-job-parameters": "{from: here}" });
    expect(run.unreadable).toEqual([]);
    expect(run.read.get("pipeline.max-parallelism")).toBe("64");
    expect(run.read.get("state.backend.incremental")).toBe("true");
    expect(await run.ask("checkpoints/config")).toMatchObject({ interval: 700, state_backend: "EmbeddedRocksDBStateBackend" });
    expect((await run.ask("config"))["execution-config"]).toMatchObject({ "user-config": { from: "here" } });
    await run.cancel();
  });

  it("reach the TableEnvironment of a program of the Table API", async () => {
    const run = await cluster.run(written, ["--table", "1"]);
    expect(run.unreadable).toEqual([]);
    expect(run.read.get("table.exec.state.ttl")).toBe("PT36H");
    expect(run.read.get("table.exec.mini-batch.size")).toBe("50");
    expect(await run.ask("checkpoints/config")).toMatchObject({ interval: 700, state_backend: "EmbeddedRocksDBStateBackend" });
    await run.cancel();
  });

  it("give way to what a program sets itself", async () => {
    const own = ["--own", "pipeline.max-parallelism=32", "--interval", "1234"];
    const run = await cluster.run(written, own);
    expect(run.read.get("pipeline.max-parallelism")).toBe("32");
    expect(await run.ask("checkpoints/config")).toMatchObject({ interval: 1234, state_backend: "EmbeddedRocksDBStateBackend" });
    await run.cancel();
  });

  it("give way to what a program of the Table API sets itself", async () => {
    const run = await cluster.run(written, ["--table", "1", "--own", "table.exec.state.ttl=1 h"]);
    expect(run.read.get("table.exec.state.ttl")).toBe("PT1H");
    expect(run.read.get("table.exec.mini-batch.size")).toBe("50");
    await run.cancel();
  });
});

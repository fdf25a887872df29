import { describe, expect, it } from "vitest";
import { cancelJob } from "../../src/flink/cancel-job.ts";
import { aCluster, NEVER } from "./cluster-harness.ts";

const CANCEL = /PATCH \/jobs\//;
const LIST = /GET \/jobs\/overview/;

describe("cancelJob", () => {
  it("cancels a job and waits until it is down", async () => {
    const { fake, cluster, start } = await aCluster();
    const id = await start(1);
    fake.holdCancellations();
    const outcome = cancelJob(cluster, id, 10_000, NEVER);
    await fake.untilCalled(LIST, 3);
    expect(fake.job(id).state).toBe("CANCELLING");
    fake.releaseCancellations();
    expect(await outcome).toEqual({ kind: "cancelled" });
    expect(fake.countCalls(CANCEL)).toBe(1);
  });

  it("says how a job ended that needs no cancelling", async () => {
    const { fake, cluster, start } = await aCluster();
    const [finished, failed, cancelled] = [await start(1), await start(2), await start(3)];
    fake.setJobState(finished, "FINISHED");
    fake.setJobState(failed, "FAILED");
    fake.setJobState(cancelled, "CANCELED");
    expect(await cancelJob(cluster, finished, 1000, NEVER)).toEqual({ kind: "ended", state: "FINISHED" });
    expect(await cancelJob(cluster, failed, 1000, NEVER)).toEqual({ kind: "ended", state: "FAILED" });
    expect(await cancelJob(cluster, cancelled, 1000, NEVER)).toEqual({ kind: "cancelled" });
    expect(fake.countCalls(CANCEL)).toBe(0);
  });

  it("says that the cluster does not know the job", async () => {
    const { fake, cluster, start } = await aCluster();
    const id = await start(1);
    fake.restart();
    expect(await cancelJob(cluster, id, 1000, NEVER)).toEqual({ kind: "gone" });
  });

  it.each(["lose-answer", "drop", "html"] as const)("looks again when the answer is gone (%s)", async (kind) => {
    const { fake, cluster, start } = await aCluster();
    const id = await start(1);
    fake.inject(CANCEL, { kind }, 1);
    expect(await cancelJob(cluster, id, 10_000, NEVER)).toEqual({ kind: "cancelled" });
  });

  it("knows nothing when the job does not go down in time, or the cluster cannot be reached", async () => {
    const { fake, cluster, start } = await aCluster();
    const id = await start(1);
    fake.holdCancellations();
    expect(await cancelJob(cluster, id, 100, NEVER)).toEqual({ kind: "unknown", because: expect.stringContaining("100ms") });
    await fake.refuse();
    expect(await cancelJob(cluster, id, 10_000, NEVER)).toMatchObject({ kind: "unknown" });
  });

  it("leaves with the signal", async () => {
    const { fake, cluster, start } = await aCluster();
    const id = await start(1);
    fake.holdCancellations();
    const leaving = new AbortController();
    const outcome = cancelJob(cluster, id, 10_000, leaving.signal);
    await fake.untilCalled(LIST, 2);
    leaving.abort(new Error("leaving"));
    await expect(outcome).rejects.toThrow("leaving");
  });
});

import { describe, expect, it, vi } from "vitest";
import { FileServer } from "../support/file-server.ts";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import { createWorld, isRunning, RUN, UPLOAD, untilCheckpointed, type World } from "./world.ts";

const ONE_JOB = /^GET \/jobs\/[0-9a-f]{32}$/;
const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;
const SAVEPOINT = /^POST \/jobs\/[0-9a-f]{32}\/savepoints$/;
/** Less than the daemon waits for a pass that hangs (8 s), and that is less than the 10 s that it has. */
const AT_ONCE_MS = 8000;
const SOON = { timeout: 90_000, interval: 20 };
/** Each starts a process and two daemons: on a machine that has much else to do that takes its time. */
const PATIENT = { timeout: 180_000 };
const ON_DEMAND = `---
apiVersion: core/v1alpha1
kind: Savepoint
zone: local
metadata: {name: backup, project: default}
spec: {type: OnDemand, jobRef: {name: orders}}
`;

/** Where the first daemon is when it is told; it is kept there, until what comes back is called. */
type Reach = (world: World) => Promise<void | (() => void)>;

/** Resolves when such a request has come, which is then never answered. */
async function hangAt({ git }: World, service: "git-receive-pack" | "git-upload-pack", body?: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const match = { service, step: "call" as const, ...(body === undefined ? {} : { body }) };
  git.before(match, async () => resolve());
  git.fault({ kind: "hang" }, match);
  await promise;
}

const STARTING: readonly (readonly [when: string, reach: Reach, hangs: "in a pass" | "beside it"])[] = [
  [
    "the manifests are fetched and the Git server is silent",
    async (world) => hangAt(world, "git-upload-pack", "want "),
    "in a pass",
  ],
  ["the start is announced and the Git server is silent", async (world) => hangAt(world, "git-receive-pack"), "in a pass"],
  [
    "the jar is uploaded",
    async ({ flink }) => {
      flink.inject(UPLOAD, { kind: "hang" });
      await flink.untilCalled(UPLOAD);
    },
    "beside it",
  ],
  [
    "it is looked whether the announced id is taken",
    async ({ flink }) => {
      flink.inject(ONE_JOB, { kind: "hang" });
      await flink.untilCalled(ONE_JOB);
    },
    "beside it",
  ],
  [
    "the program's main() runs",
    async ({ flink }) => {
      const release = flink.holdMain();
      await vi.waitFor(() => expect(flink.countCalls(RUN)).toBe(1), SOON);
      return release;
    },
    "beside it",
  ],
];

describe.concurrent("a daemon that gets SIGTERM while a Job is started", PATIENT, () => {
  it.each(STARTING)("and %s ends with 0, and the next one goes on: one job, its first attempt", async (_, reach, hangs) => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const reached = reach(world);
    const first = world.startProcess();
    const release = await reached;
    const before = performance.now();
    expect(await first.stop()).toBe(0);
    if (hangs === "beside it") expect(performance.now() - before).toBeLessThan(AT_ONCE_MS);

    release?.();
    world.flink.clearFaults();
    world.git.heal();
    const next = world.startDaemon();
    await next.untilJob("orders", isRunning);
    await next.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 1, run: 1 });
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("and its jar is downloaded ends at once, and the next one fetches it", async () => {
    await using files = await aFileServer();
    const artifacts = { cacheDir: "/nonexistent", hosts: { [files.host]: {} } };
    await using world = await createWorld({ config: { artifacts } });
    files.put("/app.jar", await counterJar());
    files.cuts.push(5000);
    await world.push({ "orders.yaml": anArtifact("orders", `url: "${files.url("/app.jar")}"`) + aJob("orders") });
    const first = world.startProcess();
    await vi.waitFor(() => expect(files.requests).toHaveLength(1), SOON);
    const before = performance.now();
    expect(await first.stop()).toBe(0);
    expect(performance.now() - before).toBeLessThan(AT_ONCE_MS);
    await world.startDaemon().untilJob("orders", isRunning);
    expect(world.flink.jobs).toHaveLength(1);
  });
});

async function aFileServer() {
  const files = await FileServer.start();
  return Object.assign(files, { [Symbol.asyncDispose]: async () => files.close() });
}

const UNDER_WAY: readonly (readonly [
  what: string,
  push: Readonly<Record<string, string | null>>,
  reached: RegExp,
  after: string,
])[] = [
  [
    "a rescale stops the job with a savepoint",
    { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 3 }) },
    STOP,
    "Running",
  ],
  ["a suspension does", { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 0 }) }, STOP, "Finished"],
  ["a deletion does", { "orders.yaml": anArtifact("orders"), "note.yaml": "# nothing\n" }, STOP, "Cancelled"],
  ["a savepoint is taken", { "backup.yaml": ON_DEMAND }, SAVEPOINT, "Running"],
];

describe.concurrent("a daemon that gets SIGTERM while", PATIENT, () => {
  it.each(UNDER_WAY)(
    "%s ends at once with 0, and the next one brings it to its end, once",
    async (what, push, reached, after) => {
      await using world = await createWorld();
      await world.push({ ...(await aRunningJob("orders")), "other.yaml": aJob("other", { artifact: "orders", rpus: 1 }) });
      const start = world.startDaemon();
      const { flinkJobId } = await start.untilJob("orders", isRunning);
      await start.untilJob("other", isRunning);
      await untilCheckpointed(world, start, flinkJobId!);
      await start.untilAtRest();
      await start.stop();
      world.flink.holdSavepoints();
      await world.push(push);
      const first = world.startProcess();
      await world.flink.untilCalled(reached);
      const before = performance.now();
      expect(await first.stop()).toBe(0);
      expect(performance.now() - before).toBeLessThan(AT_ONCE_MS);

      world.flink.releaseSavepoints();
      const next = world.startDaemon();
      const isOver = ({
        flinkJobState,
        operation,
        requestedRpus,
      }: {
        flinkJobState: string;
        operation?: unknown;
        requestedRpus?: number;
      }) => flinkJobState === after && operation === undefined && (!what.startsWith("a rescale") || requestedRpus === 3);
      await next.untilJob("orders", isOver);
      if (what === "a savepoint is taken")
        await next.until("it is Ready", ({ update }) =>
          [...update.records.values()].some((record) => record.kind === "Savepoint" && record.status.phase === "Ready"),
        );
      await next.untilAtRest();
      expect(world.flink.countCalls(reached)).toBe(1);
      expect(world.flink.jobs.filter(({ state }) => state === "RUNNING")).toHaveLength(after === "Running" ? 2 : 1);
    },
  );
});

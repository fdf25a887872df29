import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compileSchema, type JsonSchema } from "../../src/common/schema-problems.ts";
import { findCondition } from "../../src/model/conditions.ts";
import type { JobStatus } from "../../src/model/status.ts";
import type { Plan, PlanStep } from "../../src/preview/plan.ts";
import { penstock, type CommandResult } from "../cli/command.ts";
import { statusOfJob, type RunningDaemon } from "../scenarios/running-daemon.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, isHealthy, isSettled, type CounterOptions } from "./counter.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

/** Short waits of the adaptive scheduler; without them it takes half a minute for each change. */
const ADAPTIVE = {
  "jobmanager.scheduler": "adaptive",
  "jobmanager.adaptive-scheduler.scaling-interval.min": "100ms",
  "jobmanager.adaptive-scheduler.scaling-interval.max": "1s",
  "jobmanager.adaptive-scheduler.resource-stabilization-timeout": "500ms",
};
const REQUEST = "refs/pull/7/head";
const PREVIEWS = "penstock/previews";
/** Flink takes no checkpoint by itself in this time, so the daemon has to rescale by savepoint. */
const SELDOM = { "execution.checkpointing.interval": "1h" };

let world: RealWorld;
let folder: string;
let daemon: RunningDaemon;
let before: Readonly<Record<string, JobStatus>>;
let planned: Plan;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "penstock-plan-"));
  world = await createRealWorld("1.20.5", { slots: 12, flink: ADAPTIVE, recordCalls: true });
  daemon = world.startDaemon();
  await world.push(await filesOfMain());
  for (const name of ["inplace", "edited", "paused", "old", "gone", "stays"]) await daemon.untilJob(name, isSettled);
  await daemon.untilJob("seldom", isHealthy);
  await world.push({ "seldom.yaml": job("seldom", 2, { configuration: SELDOM }) }, "a past for seldom");
  await daemon.untilJob("seldom", (status) => isHealthy(status) && status.parallelism === 2);
  const last = await daemon.untilAtRest();
  const names = ["inplace", "seldom", "edited", "paused", "old", "gone", "stays"];
  before = Object.fromEntries(names.map((name) => [name, statusOfJob(last, name)!]));
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

function job(name: string, rpus: number, options: Partial<CounterOptions> = {}): string {
  return counterJob("1.20", rpus, { name, out: join(folder, `${name}.out`), ...options });
}

async function filesOfMain(): Promise<Record<string, string | Uint8Array>> {
  const jobs = { inplace: 2, edited: 1, paused: 1, old: 1, gone: 1, stays: 1 };
  return {
    "artifact.yaml": ARTIFACT,
    "jars/counter.jar": await readFile(TEST_JOB_JAR),
    "seldom.yaml": job("seldom", 1, { configuration: SELDOM }),
    ...Object.fromEntries(Object.entries(jobs).map(([name, rpus]) => [`${name}.yaml`, job(name, rpus)])),
  };
}

/** One of everything that a request can bring. */
const CHANGES = (): Readonly<Record<string, string | null>> => ({
  "inplace.yaml": job("inplace", 3),
  "seldom.yaml": job("seldom", 1, { configuration: SELDOM }),
  "edited.yaml": job("edited", 1, { args: ["--more", "1"] }),
  "paused.yaml": job("paused", 0),
  "gone.yaml": null,
  "upgrade.yaml": [
    `apiVersion: core/v1alpha1
kind: Savepoint
zone: ${ZONE}
metadata: {name: old-final, project: default}
spec: {type: Final, finalOptions: {shutdownMethod: Graceful}, jobRef: {name: old}}
`,
    job("new", 1, { args: ["--more", "2"], more: "  initialStateRef: {name: old-final}\n" }),
  ].join("---\n"),
  "second.yaml": ARTIFACT.replace("name: counter", "name: second"),
  "fresh.yaml": job("fresh", 2, { artifact: "second" }),
});

async function pushRequest(ref: string, files: Readonly<Record<string, string | null>>): Promise<string> {
  const main = await world.git.head("jobs", "main");
  const head = await world.git.commitFiles("jobs", "work", files, "a request", { parent: main! });
  await world.git.deleteBranch("jobs", "work");
  await world.git.git("jobs", ["update-ref", ref, head]);
  return head;
}

/** The tree that the request makes, in a folder of the disk. */
async function checkOut(): Promise<string> {
  const root = join(folder, "tree");
  const files = { ...(await filesOfMain()), ...CHANGES() };
  for (const [path, content] of Object.entries(files)) {
    if (content === null) continue;
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

async function plan(...args: readonly string[]): Promise<CommandResult> {
  return penstock(["plan", "--config", world.configFile, ...args]);
}

function stepOf({ steps }: Plan, name: string, kind = "Job"): PlanStep {
  const found = steps.find((step) => step.name === name && step.kind === kind);
  if (found === undefined) throw new Error(`the plan has no ${kind} ${name}`);
  return found;
}

const actionsOf = ({ steps }: Plan): readonly string[] =>
  steps.map(({ kind, name, action, verdict }) => `${kind} ${name}: ${action}, ${verdict}`);

const writesOf = (calls: readonly string[]): readonly string[] => calls.filter((call) => !call.startsWith("GET "));

async function readPreview(id: string): Promise<Plan | undefined> {
  if ((await world.git.head("jobs", PREVIEWS)) === undefined) return undefined;
  const lines = await world.git.listTree("jobs", PREVIEWS);
  if (!lines.some((line) => line.endsWith(`\t${id}.json`))) return undefined;
  return JSON.parse(await world.git.readFile("jobs", PREVIEWS, `${id}.json`)) as Plan;
}

async function untilPreview(id: string, test: (preview: Plan | undefined) => boolean): Promise<Plan | undefined> {
  for (let passes = 0; passes < 200; passes += 1) {
    const preview = await readPreview(id);
    if (test(preview)) return preview;
    await daemon.passes(1);
  }
  throw new Error(`the preview of ${id} did not come about:\n${daemon.log()}`);
}

const slotsFree = async (): Promise<number> =>
  ((await world.ask("/overview")) as { readonly "slots-available": number })["slots-available"];

it("says in JSON, text and Markdown what a request would do to running jobs, and writes nothing", async () => {
  const callsBefore = world.flinkCalls.length;
  const statusBefore = await world.git.head("jobs", "penstock/status");
  const free = await slotsFree();
  expect(free).toBe(3);
  await pushRequest(REQUEST, CHANGES());

  const json = await plan("--ref", REQUEST, "--output", "json");
  expect(json).toMatchObject({ status: 1, stderr: "" });
  planned = JSON.parse(json.stdout) as Plan;
  const schema = JSON.parse(await readFile(join(import.meta.dirname, "../../config/plan.schema.json"), "utf8")) as JsonSchema;
  const validate = compileSchema(schema);
  expect(validate(planned), JSON.stringify(validate.errors?.map(({ instancePath, message }) => [instancePath, message]))).toBe(
    true,
  );
  expect(actionsOf(planned)).toEqual([
    "Job edited: refuse, held",
    "Job fresh: create, now",
    "Job gone: delete, now",
    "Job inplace: rescale-in-place, now",
    "Job new: upgrade, now",
    "Job old: stop, now",
    "Job paused: suspend, now",
    "Job seldom: rescale-by-savepoint, now",
    "Savepoint old-final: create, now",
    "Artifact second: create, now",
    "Job stays: leave, none",
    "Artifact counter: leave, none",
  ]);
  const needed = planned.steps.flatMap(({ name, slots }) => (slots === undefined ? [] : [[name, slots.needed]]));
  expect(Object.fromEntries(needed)).toEqual({ fresh: 2, gone: -1, inplace: 1, new: 1, old: -1, paused: -1, seldom: -1 });
  expect(planned.clusters).toMatchObject([{ flinkVersion: "1.20.5", slots: { total: 12, freeNow: free, freeAfter: free } }]);
  for (const name of ["edited", "gone", "inplace", "old", "paused"]) {
    const { restorePoint } = stepOf(planned, name);
    expect(restorePoint).toMatchObject({ kind: "Checkpoint", uri: expect.stringContaining(before[name]!.flinkJobId!) as string });
    expect((restorePoint as { readonly ageSeconds: number }).ageSeconds).toBeLessThan(60);
  }
  expect(stepOf(planned, "seldom")).toMatchObject({
    rpus: { from: 2, to: 1 },
    restorePoint: { kind: "Savepoint" }, // the one it was rescaled with
    interruption: {
      kind: "brief",
      seconds: expect.any(Number) as number,
      text: expect.stringMatching(/as when it was last rescaled$/) as string,
    },
  });
  expect(stepOf(planned, "edited")).toMatchObject({
    reason: "SpecChanged",
    because: expect.stringContaining("mainArgs") as string,
  });

  const text = (await plan("--ref", REQUEST)).stdout;
  expect(text).toContain("Job default/inplace  rescale in place");
  expect(text.split("\n").every((line) => line.length <= 80)).toBe(true);
  const markdown = (await plan("--ref", REQUEST, "--output", "markdown")).stdout;
  expect(markdown).toContain("| Job **default/seldom** | **rescale by savepoint** |");
  const ofFolder = await plan("--dir", await checkOut(), "--output", "json");
  expect(actionsOf(JSON.parse(ofFolder.stdout) as Plan)).toEqual(actionsOf(planned));

  const preview = await untilPreview("7", (found) => found !== undefined);
  expect(preview).toMatchObject({ subject: { kind: "request", merge: { kind: "merged" } } });
  expect(actionsOf(preview!)).toEqual(actionsOf(planned));
  expect(await world.git.readFile("jobs", PREVIEWS, "7.md")).toContain("| Job **default/seldom** | **rescale by savepoint** |");

  expect(writesOf(world.flinkCalls.slice(callsBefore))).toEqual([]);
  expect(await world.git.head("jobs", "penstock/status")).toBe(statusBefore);
});

it("is done by the daemon action by action as soon as the request is merged, and its preview goes", async () => {
  await world.git.setBranch("jobs", "main", (await world.git.git("jobs", ["rev-parse", REQUEST])).toString().trim());
  const inplace = await daemon.untilJob("inplace", (status) => isHealthy(status) && status.parallelism === 3);
  expect(inplace).toMatchObject({ flinkJobId: before["inplace"]!.flinkJobId, attempt: 1 });
  const seldom = await daemon.untilJob("seldom", (status) => isHealthy(status) && status.parallelism === 1);
  expect(seldom).toMatchObject({ attempt: 3, startedFrom: { kind: "Savepoint" } });
  const fresh = await daemon.untilJob("fresh", isSettled);
  expect(fresh).toMatchObject({ attempt: 1, requestedRpus: 2 });
  const started = await daemon.untilJob("new", isSettled);
  expect(started.startedFrom).toMatchObject({
    kind: "Savepoint",
    uri: expect.stringContaining(before["old"]!.flinkJobId!) as string,
  });
  await daemon.untilJob("paused", ({ suspended }) => suspended === true);
  await daemon.untilJob("gone", ({ deleted }) => deleted?.restorePoint?.kind === "Savepoint");
  const last = await daemon.until("all of it is done", (pass) => pass.published.kind === "nothing-to-write");
  expect(statusOfJob(last, "old")).toMatchObject({ flinkJobState: "Finished", finalized: { savepoint: "old-final" } });
  const edited = statusOfJob(last, "edited")!;
  expect(edited).toMatchObject({ flinkJobId: before["edited"]!.flinkJobId, flinkJobState: "Running" });
  expect(findCondition(edited.conditions, "Accepted")?.message).toBe(stepOf(planned, "edited").because);
  expect(statusOfJob(last, "stays")).toMatchObject({ flinkJobId: before["stays"]!.flinkJobId, attempt: 1 });
  expect(await slotsFree()).toBe(planned.clusters[0]!.slots!.freeAfter);
  await untilPreview("7", (preview) => preview === undefined);
});

it("follows a request's head on the previews' branch, and goes with its ref", async () => {
  await pushRequest("refs/pull/8/head", { "stays.yaml": job("stays", 2) });
  await untilPreview("8", (preview) => preview !== undefined && stepOf(preview, "stays").action === "rescale-in-place");
  await pushRequest("refs/pull/8/head", { "stays.yaml": job("stays", 0) });
  await untilPreview("8", (preview) => preview !== undefined && stepOf(preview, "stays").action === "suspend");
  await world.git.git("jobs", ["update-ref", "-d", "refs/pull/8/head"]);
  await untilPreview("8", (preview) => preview === undefined);
  expect((await world.git.log("jobs", PREVIEWS)).map(({ message }) => message.split("\n")[0])).toEqual([
    "Remove 8",
    "Plan 8",
    "Plan 8",
    "Remove 7",
    "Plan 7",
  ]);
});

import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { aJob, anArtifact, aRunningJob } from "../scenarios/manifests.ts";
import { createWorld, type World } from "../scenarios/world.ts";
import { startPenstock, type RunningCommand } from "./command.ts";

const IN_FORCE = "the configuration has changed, and the new one is in force";
const INVALID = "the changed configuration is invalid; the old one stays in force";

type Settings = Readonly<Record<string, unknown>>;

/** What the world's daemon is configured with, and something else. */
async function settingsOf(world: World, change: Settings = {}): Promise<string> {
  return JSON.stringify({ ...(JSON.parse(await readFile(world.configFile, "utf8")) as Settings), ...change });
}

async function runningOrders(world: World, file = world.configFile): Promise<RunningCommand> {
  await world.push(await aRunningJob("orders"));
  const daemon = startPenstock(["run", "--config", file]);
  await daemon.until("Pending → Ready, Running");
  return daemon;
}

async function pushRpus(world: World, rpus: number): Promise<void> {
  await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus }) });
}

/** As mounted ConfigMaps and Secrets are: the files are links through `..data`, which is swapped for another folder in one step. */
async function mount(folder: string, version: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(folder, version));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, version, name), text);
  await symlink(version, join(folder, "..next"));
  await rename(join(folder, "..next"), join(folder, "..data"));
}

describe.concurrent("a change of the configuration's file", () => {
  it("takes effect without a restart, and the job goes on", async () => {
    await using world = await createWorld();
    const daemon = await runningOrders(world);
    await writeFile(world.configFile, await settingsOf(world, { policy: { paused: true } }));
    await daemon.until(IN_FORCE);
    await pushRpus(world, 4);
    await daemon.until("it is paused");
    expect(world.flink.jobs.map(({ state, parallelism }) => [state, parallelism])).toEqual([["RUNNING", 2]]);
    await daemon.stop();
  });

  it("that is invalid is reported once and changes nothing; putting it right is said", async () => {
    await using world = await createWorld();
    const daemon = await runningOrders(world);
    const before = await settingsOf(world);
    await writeFile(world.configFile, await settingsOf(world, { polcy: {} }));
    await daemon.until(INVALID);
    await daemon.until("unknown field polcy; did you mean policy?");
    await pushRpus(world, 4);
    await daemon.until("Rescaling → Ready, Running");
    await writeFile(world.configFile, `${before}\n# as before\n`);
    await daemon.until("the configuration is valid again, and as before");
    const { stderr } = await daemon.stop();
    expect(stderr.split(INVALID)).toHaveLength(2);
    expect(stderr).not.toContain(IN_FORCE);
  });

  it("to a port that is taken is refused, and the old one stays in force until there is a better one", async () => {
    await using world = await createWorld({ config: { server: { port: 0 } } });
    const daemon = await runningOrders(world);
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await writeFile(world.configFile, await settingsOf(world, { server: { port } }));
    await daemon.until("the changed configuration cannot be used; the old one stays in force");
    await pushRpus(world, 4);
    await daemon.until("Rescaling → Ready, Running");
    await writeFile(world.configFile, await settingsOf(world, { server: { port: 0 }, log: { level: "debug" } }));
    await daemon.until('"level":20');
    const { stderr } = await daemon.stop();
    expect(stderr.split("cannot be used; the old one stays in force")).toHaveLength(2);
    expect(stderr).toContain(`cannot listen on 127.0.0.1 port ${port}`);
    other.close();
  });

  it("may be the swap of a mounted ConfigMap", async () => {
    await using world = await createWorld();
    const folder = await mkdtemp(join(tmpdir(), "penstock-configmap-"));
    await mount(folder, "..first", { "penstock.yaml": await settingsOf(world) });
    await symlink("..data/penstock.yaml", join(folder, "penstock.yaml"));
    const daemon = await runningOrders(world, join(folder, "penstock.yaml"));
    await mount(folder, "..second", { "penstock.yaml": await settingsOf(world, { log: { level: "debug" } }) });
    await rm(join(folder, "..first"), { recursive: true });
    await daemon.until(IN_FORCE);
    await pushRpus(world, 4);
    await daemon.until("Rescaling → Ready, Running");
    await daemon.stop();
    await rm(folder, { recursive: true });
  });
});

describe("a rotated token", () => {
  it("is used as soon as its file holds it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "penstock-token-"));
    const passwordFile = join(folder, "token");
    await writeFile(passwordFile, "old");
    const auth = { username: "penstock", password: "old" };
    await using world = await createWorld({ git: { auth }, repository: { credentials: { username: "penstock", passwordFile } } });
    const daemon = await runningOrders(world);
    auth.password = "new";
    await pushRpus(world, 4);
    await daemon.until("401");
    await writeFile(join(dirname(passwordFile), "token.next"), "new\n");
    await rename(join(dirname(passwordFile), "token.next"), passwordFile);
    await daemon.until("Rescaling → Ready, Running");
    const { stderr } = await daemon.stop();
    expect(stderr).toContain(IN_FORCE);
    await rm(folder, { recursive: true });
  });
});

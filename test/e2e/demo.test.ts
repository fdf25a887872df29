import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { startRealFlink } from "../support/real-flink.ts";
import { gitEnvironment } from "../support/git-repositories.ts";

const ROOT = join(import.meta.dirname, "../..");
const ALL_RUNS = "everything that is declared runs";
const run = promisify(execFile);

/** `npm run demo` as in a terminal of its own: Ctrl-C reaches npm and the demo alike. */
class Demo {
  readonly #child: ChildProcess;
  readonly #onOutput = new Set<() => void>();
  readonly #ended: Promise<unknown>;
  /** Its own folder for temporary files, which also tells its processes from those of others. */
  readonly temporary: string;
  output = "";

  constructor(command: string, temporary: string) {
    this.temporary = temporary;
    const env = { ...process.env, TMPDIR: temporary, NODE_DISABLE_COMPILE_CACHE: "1" }; // npm would keep one there for good
    this.#child = spawn("sh", ["-c", command], { cwd: ROOT, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
        for (const look of this.#onOutput) look();
      });
    this.#ended = new Promise((resolve) => this.#child.on("close", resolve));
  }

  async until(what: string, test: (output: string) => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (test(this.output)) resolve();
    };
    this.#onOutput.add(look);
    look();
    void this.#ended.then(() => reject(new Error(`the demo ended before ${what}:\n${this.output}`)));
    await promise.finally(() => this.#onOutput.delete(look));
  }

  /** What stands behind a word at the beginning of a line. */
  told(word: string): string {
    const found = new RegExp(`^${word} +(\\S+)$`, "m").exec(this.output)?.[1];
    if (found === undefined) throw new Error(`the demo does not tell its ${word}:\n${this.output}`);
    return found;
  }

  /** Ctrl-C. Over when nobody holds its output any more. */
  async interrupt(): Promise<void> {
    this.#signal("SIGINT");
    await this.#ended;
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#child.exitCode !== null) return;
    try {
      process.kill(-this.#child.pid, signal); // the whole group, as a terminal does
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it is gone, which is what was asked for
    }
  }
}

/** It ended while we looked, or is of another user. */
const goneOrForeign = (): string => "";

/** The command lines of the processes that were started with this in their environment. */
async function processesWith(setting: string): Promise<readonly string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = ids.map(async (id) => {
    const environment = await readFile(`/proc/${id}/environ`, "utf8").catch(goneOrForeign);
    return environment.split("\0").includes(setting) ? readFile(`/proc/${id}/cmdline`, "utf8").catch(goneOrForeign) : "";
  });
  return (await Promise.all(found)).filter((line) => line !== "");
}

describe("the demo", () => {
  const demos: Demo[] = [];
  const folders: string[] = [];

  afterEach(async () => {
    for (const demo of demos.splice(0)) demo.kill();
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });

  async function aFolder(prefix: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), prefix));
    folders.push(folder);
    return folder;
  }

  async function start(command: string): Promise<Demo> {
    const demo = new Demo(command, await aFolder("penstock-demo-tmp-"));
    demos.push(demo);
    await demo.until("all ran", (output) => output.includes(ALL_RUNS));
    return demo;
  }

  async function expectCleanEnd(demo: Demo, { ownFlink = true } = {}): Promise<void> {
    const [git, flink, config] = ["repository", "Flink's page", "configuration"].map((word) => demo.told(word));
    const running = await processesWith(`TMPDIR=${demo.temporary}`);
    expect(running.some((line) => line.includes("StandaloneSessionClusterEntrypoint"))).toBe(ownFlink);
    await demo.interrupt();
    expect(demo.output).toMatch(/ending what the demo started …\ndone\n/);
    for (const url of ownFlink ? [git!, flink!] : [git!]) await expect(fetch(url)).rejects.toThrow("fetch failed");
    expect(dirname(dirname(config!))).toBe(demo.temporary);
    expect(await readdir(demo.temporary)).toEqual([]);
    expect(await processesWith(`TMPDIR=${demo.temporary}`)).toEqual([]);
  }

  it("runs the sample jobs, follows a push, shows the status as it says, and leaves nothing behind", async () => {
    const demo = await start("npm run demo");
    const folder = await aFolder("penstock-demo-user-");
    const shell = async (line: string): Promise<string> =>
      (await run("sh", ["-c", line], { cwd: folder, env: { ...process.env, ...gitEnvironment() }, timeout: 60_000 })).stdout;
    const lines = demo.output.slice(demo.output.indexOf("in another terminal:")).split("\n");
    const [clone, show, status] = lines
      .slice(1, 4)
      .map((line) => line.trim().replaceAll("/tmp/penstock-jobs", join(folder, "jobs")));
    await shell(clone!);
    expect(await shell(`cd jobs && ${show}`)).toContain("top-speed-windowing-v1");
    expect(await shell(status!)).toMatch(/top-speed-windowing-v1.*Running/);

    const path = join(folder, "jobs", "top-speed-windowing.yaml");
    await writeFile(path, (await readFile(path, "utf8")).replace("rpus: 5", "rpus: 2"));
    await shell("cd jobs && git commit --quiet --all --message 'Ask for two slots' && git push --quiet");
    const told = demo.output.length;
    await demo.until("the rescale was told", (output) => output.slice(told).includes(ALL_RUNS));
    expect(demo.output).toMatch(/rpus 5 → 2/);
    await expectCleanEnd(demo);
  });

  it("takes another Flink", async () => {
    const demo = await start("npm run demo -- --flink-version 1.20.5");
    expect(demo.output).toContain("starting Flink 1.20.5");
    await expectCleanEnd(demo);
  });

  it("takes an existing cluster, and leaves it running", async () => {
    const flink = await startRealFlink({ version: "2.3.0", slots: 8 });
    try {
      const demo = await start(`npm run demo -- --flink-url ${flink.url.href}`);
      await expectCleanEnd(demo, { ownFlink: false });
      expect((await fetch(new URL("overview", flink.url))).status).toBe(200);
    } finally {
      await flink.stop();
    }
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { aJob, aRunningJob } from "../scenarios/manifests.ts";
import { createWorld, isRunning, STATUS_BRANCH, type World } from "../scenarios/world.ts";
import { penstock } from "./command.ts";

const PASSWORD = "hunter2-Ax9/+=%";
/** In any form in which it travels or might be quoted. */
const FORMS = [PASSWORD, "hunter2", encodeURIComponent(PASSWORD), Buffer.from(`penstock:${PASSWORD}`).toString("base64")];

interface SecretWorld extends AsyncDisposable {
  readonly world: World;
}

async function aWorldWithPassword(password: string): Promise<SecretWorld> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-secret-"));
  const passwordFile = join(folder, "git-password");
  await writeFile(passwordFile, `${password}\n`);
  const world = await createWorld({
    git: { auth: { username: "penstock", password: PASSWORD } },
    repository: { credentials: { username: "penstock", passwordFile } },
  });
  const end = async (): Promise<void> => {
    await world[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  return { world, [Symbol.asyncDispose]: end };
}

function expectNoSecret(...texts: readonly string[]): void {
  for (const text of texts) for (const form of FORMS) expect(text).not.toContain(form);
}

describe.concurrent("the password of the Git server", () => {
  it("opens it, and stands in no output, log, status or commit, whatever goes wrong", async () => {
    await using both = await aWorldWithPassword(PASSWORD);
    const { world } = both;
    await world.push({ ...(await aRunningJob("orders")), "bad.yaml": aJob("bad", { rpus: -1 }) });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    world.git.fault({ kind: "redirect", status: 302, location: `${world.git.origin}/moved/jobs.git` }, { times: 3 });
    world.git.fault({ kind: "error-line", message: "who are you" }, { times: 3 });
    world.git.fault({ kind: "drop" }, { times: 3 });
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders" }) });
    await daemon.untilJob("clicks", isRunning);
    await daemon.stop();
    const once = await penstock(["run", "--config", world.configFile, "--once"]);
    expect(once.status).toBe(1);
    const shown = await Promise.all([
      penstock(["status", "--config", world.configFile]),
      penstock(["status", "--config", world.configFile, "orders"]),
      penstock(["status", "--config", world.configFile, "--output", "json"]),
    ]);
    expectNoSecret(daemon.log(), ...[once, ...shown].flatMap(({ stdout, stderr }) => [stdout, stderr]));
    expectNoSecret((await world.git.git("jobs", ["log", "-p", "--format=%B%an%ae", STATUS_BRANCH])).toString());
  });

  it("when it is wrong is not shown either; the message says what to check", async () => {
    await using both = await aWorldWithPassword(`${PASSWORD}-old`);
    const { world } = both;
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    expect((await daemon.untilBlind()).because).toContain("does not accept the credentials; check repository.credentials (401");
    const shown = await penstock(["status", "--config", world.configFile]);
    expect(shown.status).toBe(2);
    expectNoSecret(daemon.log(), shown.stdout, shown.stderr);
  });

  it("inside of the configuration is refused without repeating it", async () => {
    await using both = await aWorldWithPassword(PASSWORD);
    const { world } = both;
    const wrong = [
      { credentials: { username: "penstock", password: PASSWORD } },
      { url: world.git.urlOf("jobs").replace("//", `//penstock:${encodeURIComponent(PASSWORD)}@`) },
    ];
    for (const [index, repository] of wrong.entries()) {
      const file = join(world.configFile, "..", `inline-${index}.yaml`);
      const zones = { local: { clusters: { main: { url: world.flink.url.href } } } };
      await writeFile(
        file,
        JSON.stringify({ instance: "test", repository: { url: world.git.urlOf("jobs"), ...repository }, zones }),
      );
      const { status, stdout, stderr } = await penstock(["run", "--config", file, "--once"]);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expectNoSecret(stderr);
    }
  });
});

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import type { WritingCall } from "../../src/common/writing-calls.ts";
import { aFinalSavepoint, aJob, anArtifact, aSavepoint, type JobText } from "../scenarios/manifests.ts";
import type { StatusFile } from "../scenarios/world.ts";
import { packJar, readJar } from "../support/jar.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { STATUS_BRANCH } from "../scenarios/world.ts";
import type { KillWorld } from "./kill-world.ts";

/** Something that people do, and what has to come of it however often the daemon dies meanwhile. */
export interface Operation {
  readonly name: string;
  /** Brings about what it starts from; the daemon lives. */
  prepare(): Promise<void>;
  act(): Promise<void>;
  /** What is not yet as it has to be in the end; undefined when all is. */
  missing(): Promise<string | undefined>;
  /** Calls that every operation makes, and that are looked at in this one. */
  readonly about?: readonly WritingCall[];
  /** The Job whose counter tells whether state was lost. */
  readonly counts?: () => string;
}

type Check = () => Promise<string | undefined>;

/** The Job that most operations are about; the others have their own. */
const COUNTER = "counter";
const FIRST_RPUS = 2;

/** All operations on one world, each to be done as often as wanted, in any order. */
export class Operations {
  readonly #world: KillWorld;
  readonly #minor: string;
  #serial = 0;
  /** What the counter is declared with; undefined: it is not declared. */
  #rpus: number | undefined;
  #jar: Buffer | undefined;
  #streams = 0;

  constructor(world: KillWorld) {
    this.#world = world;
    const [cluster] = world.clusters.values();
    this.#minor = cluster!.version.split(".").slice(0, 2).join("."); // there is one
  }

  list(): readonly Operation[] {
    const adaptive = [...this.#world.clusters.values()].every((cluster) => cluster.adaptive);
    return [
      this.#firstStart(),
      this.#rescale(adaptive ? "rescale in place" : "rescale by savepoint"),
      this.#suspend(),
      this.#resume(),
      this.#heal(),
      this.#takeSavepoint(),
      this.#disposal(),
      ...(this.#world.clusters.size > 1 ? [this.#migrate()] : []),
      this.#upgrade(),
      this.#delete(),
      this.#declareAgain(),
      this.#deleteWithoutState(),
      this.#removeUnusedJar(),
      this.#openRequest(),
      this.#changeRequest(),
    ];
  }

  /** Every number of key 0 was counted once: number n is its (n / 64 + 1)th, and 0 was seen but once. Undefined while nothing was counted. */
  async miscounted(name: string): Promise<string | undefined> {
    const text = await readFile(this.#outOf(name), "utf8").catch(() => "");
    const counts = text.split("\n").flatMap((line) => {
      const match = /^(\d+) (\d+)$/.exec(line);
      return match === null ? [] : [[Number(match[1]), Number(match[2])] as const];
    });
    const wrong = counts.find(([number, count]) => count !== number / 64 + 1);
    if (wrong !== undefined) return `${name} counted ${wrong[0]} as number ${wrong[1]}`;
    const starts = counts.filter(([number]) => number === 0).length;
    return starts > 1 ? `${name} began ${starts} times with nothing` : undefined;
  }

  #firstStart(): Operation {
    const nameOf = (): string => `first-${this.#serial}`;
    return {
      name: "first start",
      prepare: async () => {
        await this.#running();
        await this.#gone("first");
      },
      act: async () => {
        this.#serial += 1;
        await this.#push({
          [`${nameOf()}.yaml`]:
            anArtifact(nameOf(), `path: /jars/${nameOf()}.jar`) + this.#job(nameOf(), { rpus: 1, artifact: nameOf() }),
          [`jars/${nameOf()}.jar`]: await this.#newJar(),
        });
      },
      missing: async () => this.#notRunning(nameOf(), 1),
      counts: nameOf,
      about: ["push-mirror"],
    };
  }

  #rescale(name: string): Operation {
    return {
      name,
      prepare: async () => {
        await this.#running();
        // By then the daemon knows that there is a checkpoint, without which it would not rescale in place.
        await this.#until(`${COUNTER} has a checkpoint`, async () => {
          const status = (await this.#world.status("job", COUNTER))?.status;
          return status?.["checkpointed"] === status?.flinkJobId ? undefined : "the daemon knows of none";
        });
      },
      act: async () => this.#declareCounter(this.#rpus === 2 ? 3 : 2),
      missing: async () => this.#notRunning(COUNTER, this.#rpus ?? 0),
      counts: () => COUNTER,
    };
  }

  #suspend(): Operation {
    return {
      name: "suspend",
      prepare: async () => this.#running(),
      act: async () => this.#declareCounter(0),
      missing: async () => this.#notSuspended(),
      counts: () => COUNTER,
    };
  }

  #resume(): Operation {
    return {
      name: "resume",
      prepare: async () => {
        await this.#running();
        await this.#declareCounter(0);
        await this.#until(`${COUNTER} is suspended`, async () => this.#notSuspended());
      },
      act: async () => this.#declareCounter(FIRST_RPUS),
      missing: async () => this.#notRunning(COUNTER, FIRST_RPUS),
      counts: () => COUNTER,
    };
  }

  #heal(): Operation {
    let before: StatusFile | undefined;
    return {
      name: "heal",
      prepare: async () => {
        await this.#running();
        before = await this.#world.status("job", COUNTER);
        await this.#until(`${COUNTER} has a checkpoint`, async () => this.#noCheckpoint(before!));
      },
      act: async () => {
        await this.#world.ask(clusterOf(before!), `/jobs/${before!.status.flinkJobId}?mode=cancel`, { method: "PATCH" });
      },
      missing: async () => this.#notRunning(COUNTER, this.#rpus!, ({ attempt = 0 }) => attempt > before!.status.attempt!),
      counts: () => COUNTER,
    };
  }

  #takeSavepoint(): Operation {
    const nameOf = (): string => `demand-${this.#serial}`;
    let before: StatusFile | undefined;
    return {
      name: "savepoint on demand",
      prepare: async () => {
        await this.#running();
        before = await this.#world.status("job", COUNTER);
      },
      act: async () => {
        this.#serial += 1;
        await this.#push({
          [`${nameOf()}.yaml`]: aSavepoint(nameOf(), `{type: OnDemand, jobRef: {name: ${COUNTER}}, deletionPolicy: Delete}`),
        });
      },
      missing: async () =>
        (await this.#notReady(nameOf())) ??
        this.#notRunning(COUNTER, this.#rpus!, ({ attempt }) => attempt === before!.status.attempt),
      counts: () => COUNTER,
    };
  }

  #disposal(): Operation {
    let [name, uri] = ["", ""];
    return {
      name: "disposal",
      prepare: async () => {
        await this.#running();
        this.#serial += 1;
        name = `demand-${this.#serial}`;
        const spec = `{type: OnDemand, jobRef: {name: ${COUNTER}}, deletionPolicy: Delete}`;
        await this.#push({ [`${name}.yaml`]: aSavepoint(name, spec) });
        await this.#until(`${name} is taken`, async () => this.#notReady(name));
        uri = String((await this.#world.status("savepoint", name))?.status["uri"]);
        // The Job may go back to the savepoint as long as it has nothing newer.
        const job = (await this.#world.status("job", COUNTER))!;
        await this.#until(`${COUNTER} has a checkpoint`, async () => this.#noCheckpoint(job));
      },
      act: async () => this.#push({ [`${name}.yaml`]: null }),
      missing: async () => {
        if ((await this.#world.status("savepoint", name)) !== undefined) return `${name} still has a status`;
        return existsSync(fileURLToPath(uri)) ? `${uri} is still there` : this.#notRunning(COUNTER, this.#rpus!);
      },
      counts: () => COUNTER,
    };
  }

  #migrate(): Operation {
    let from = "";
    return {
      name: "migrate",
      prepare: async () => {
        await this.#running();
        from = clusterOf((await this.#world.status("job", COUNTER))!);
        await this.#world.stop();
      },
      act: async () => {
        await this.#world.configure([from]);
        await this.#world.start();
      },
      missing: async () => this.#notRunning(COUNTER, this.#rpus!, (status) => clusterOf({ status }) !== from),
      counts: () => COUNTER,
    };
  }

  #upgrade(): Operation {
    return {
      name: "upgrade",
      prepare: async () => {
        if (this.#streams > 0) return;
        this.#streams = 1;
        await this.#push({ "stream.yaml": this.#job(streamName(1), { rpus: 1, artifact: COUNTER, out: "stream" }) });
        await this.#running();
        await this.#until("the stream runs", async () => this.#notRunning(streamName(1), 1));
      },
      act: async () => {
        const old = streamName(this.#streams);
        this.#streams += 1;
        const spec = `  initialStateRef: {name: ${old}-final}\n`;
        const job = this.#job(streamName(this.#streams), { rpus: 1, artifact: COUNTER, out: "stream", spec });
        await this.#push({ "stream.yaml": aFinalSavepoint(old) + job });
      },
      missing: async () =>
        (await this.#notRunning(streamName(this.#streams), 1)) ??
        (await this.#notReady(`${streamName(this.#streams - 1)}-final`)) ??
        this.#notDeleted(streamName(this.#streams - 1)),
      counts: () => "stream",
    };
  }

  #delete(): Operation {
    return {
      name: "delete",
      prepare: async () => this.#running(),
      act: async () => this.#undeclareCounter(),
      missing: async () => this.#notDeleted(COUNTER),
      counts: () => COUNTER,
    };
  }

  #declareAgain(): Operation {
    return {
      name: "declare again",
      prepare: async () => {
        await this.#running();
        await this.#undeclareCounter();
        await this.#until(`${COUNTER} is deleted`, async () => this.#notDeleted(COUNTER));
      },
      act: async () => this.#declareCounter(FIRST_RPUS),
      missing: async () => this.#notRunning(COUNTER, FIRST_RPUS),
      counts: () => COUNTER,
    };
  }

  #deleteWithoutState(): Operation {
    const nameOf = (): string => `fresh-${this.#serial}`;
    return {
      name: "delete what never had state",
      prepare: async () => {
        await this.#running();
        await this.#gone("fresh");
        this.#serial += 1;
        const configuration = { "execution.checkpointing.interval": "1h" };
        await this.#push({ [`${nameOf()}.yaml`]: this.#job(nameOf(), { rpus: 1, artifact: COUNTER, configuration }) });
        await this.#until(`${nameOf()} runs`, async () => this.#notRunning(nameOf(), 1));
      },
      act: async () => this.#push({ [`${nameOf()}.yaml`]: null }),
      missing: async () => this.#notDeleted(nameOf()),
    };
  }

  #removeUnusedJar(): Operation {
    let fileName = "";
    return {
      name: "remove an unused jar",
      prepare: async () => {
        await this.#running();
        await this.#world.stop();
        this.#serial += 1;
        fileName = `kills-${String(this.#serial).padStart(64, "0")}.jar`;
        for (const cluster of this.#world.clusters.values()) await cluster.uploadLongAgo(fileName, await this.#newJar());
      },
      act: async () => this.#world.start(),
      missing: async () => {
        for (const name of this.#world.clusters.keys())
          if (JSON.stringify(await this.#world.ask(name, "/jars")).includes(fileName)) return `${name} still has ${fileName}`;
        return this.#notRunning(COUNTER, this.#rpus!);
      },
    };
  }

  #openRequest(): Operation {
    let [number, head] = [0, ""];
    return {
      name: "open a pull request",
      prepare: async () => this.#running(),
      act: async () => {
        this.#serial += 1;
        number = this.#serial;
        head = await this.#request(number, 1);
      },
      missing: async () => this.#notPlanned(number, head),
      about: ["push-previews", "create-comment", "set-commit-status"],
    };
  }

  #changeRequest(): Operation {
    let [number, head] = [0, ""];
    return {
      name: "change a pull request",
      prepare: async () => {
        await this.#running();
        this.#serial += 1;
        number = this.#serial;
        head = await this.#request(number, 1);
        await this.#until(`request ${number} is planned`, async () => this.#notPlanned(number, head));
      },
      act: async () => {
        head = await this.#request(number, 4);
      },
      missing: async () => this.#notPlanned(number, head),
      about: ["push-previews", "update-comment", "set-commit-status"],
    };
  }

  /** The only request that is open, at a commit that wants so many rpus of the counter, and leaves the status in its manifest as it is. */
  async #request(number: number, rpus: number): Promise<string> {
    const { git, forge } = this.#world;
    const parent = (await git.head("jobs", "main"))!;
    const path = `${COUNTER}.yaml`;
    const files = { [path]: (await git.readFile("jobs", parent, path)).replace(/rpus: \d+/, `rpus: ${rpus}`) };
    const head = await git.commitFiles("jobs", "work", files, `rpus ${rpus}`, { parent });
    await git.deleteBranch("jobs", "work");
    const refs = (await git.git("jobs", ["for-each-ref", "--format=%(refname)", "refs/pull"])).toString().split("\n");
    for (const ref of refs)
      if (ref !== "" && ref !== `refs/pull/${number}/head`) await git.git("jobs", ["update-ref", "-d", ref]);
    await git.git("jobs", ["update-ref", `refs/pull/${number}/head`, head]);
    forge.openRequest(number);
    return head;
  }

  async #notPlanned(number: number, head: string): Promise<string | undefined> {
    const { forge } = this.#world;
    const plan = await this.#world.read("penstock/previews", `${number}.json`);
    if (plan === undefined || !plan.includes(head)) return `the plan of request ${number} is not on the branch of the previews`;
    const comments = forge.comments.filter(({ request }) => request === number);
    if (comments.length !== 1) return `request ${number} has ${comments.length} comments`;
    if (!comments[0]!.body.includes(head.slice(0, 8))) return `the comment of request ${number} is about another commit`;
    const states = forge.statuses.filter(({ commit, context }) => commit === head && context.startsWith("penstock/plan/"));
    const { state, description } = states.at(-1) ?? { state: "none", description: plan };
    return state === "success" ? undefined : `the status of request ${number}'s head is ${state}: ${description}`;
  }

  /** The counter is declared and runs, as nearly every operation wants it. */
  async #running(): Promise<void> {
    if (this.#rpus === undefined || this.#rpus === 0) await this.#declareCounter(FIRST_RPUS);
    await this.#until(`${COUNTER} runs`, async () => this.#notRunning(COUNTER, this.#rpus!));
  }

  /** The Jobs of these names, of which there may be one. */
  async #gone(prefix: string): Promise<void> {
    const files = (await this.#world.git.listTree("jobs", "main").catch(() => [])).map((line) => line.split("\t")[1]!);
    for (const file of files.filter((name) => name.startsWith(`${prefix}-`))) {
      await this.#push({ [file]: null });
      await this.#until(`${file} is gone`, async () => this.#notDeleted(file.replace(/\.yaml$/, "")));
    }
  }

  async #declareCounter(rpus: number): Promise<void> {
    this.#rpus = rpus;
    await this.#push({ [`${COUNTER}.yaml`]: this.#counterText(rpus), "jars/counter.jar": await readFile(TEST_JOB_JAR) });
  }

  async #undeclareCounter(): Promise<void> {
    this.#rpus = undefined;
    await this.#push({ [`${COUNTER}.yaml`]: this.#artifact() });
  }

  #artifact(): string {
    return anArtifact(COUNTER);
  }

  #counterText(rpus: number): string {
    return this.#artifact() + this.#job(COUNTER, { rpus });
  }

  #job(name: string, { out = name, ...more }: JobText & { readonly out?: string }): string {
    return aJob(name, {
      flinkVersion: `"${this.#minor}"`,
      mainArgs: ["--rate", "400", "--out", this.#outOf(out)],
      configuration: { "execution.checkpointing.interval": "300ms" },
      ...more,
    });
  }

  #outOf(name: string): string {
    return join(this.#world.folder, `${name}.out`);
  }

  /** One that no Artifact had before. */
  async #newJar(): Promise<Buffer> {
    this.#jar ??= await readFile(TEST_JOB_JAR);
    const entries = await readJar(this.#jar);
    return packJar([...entries!, [`serial-${this.#serial}.txt`, Buffer.from(String(this.#serial))]]);
  }

  async #push(files: Parameters<KillWorld["push"]>[0]): Promise<void> {
    await this.#world.push(files, `change ${Object.keys(files).join(", ")}`);
  }

  async #until(what: string, check: Check): Promise<void> {
    await this.#world.until(what, check);
  }

  /** Running with so many rpus under one Flink job, its status true, on its branch and in its manifest. */
  async #notRunning(
    name: string,
    rpus: number,
    isEnough: (status: StatusFile["status"]) => boolean = () => true,
  ): Promise<string | undefined> {
    const file = await this.#world.status("job", name);
    if (file === undefined) return `${name} has no status`;
    const { status } = file;
    const shown = JSON.stringify({ ...status, history: undefined, source: undefined, conditions: undefined });
    const wanted = status.phase === "Ready" && status.flinkJobState === "Running" && status["requestedRpus"] === rpus;
    if (!wanted || status["parallelism"] !== rpus || !isEnough(status)) return `${name} with ${rpus} rpus: ${shown}`;
    if (status.operation !== undefined || status["disposal"] !== undefined) return `${name} is at work: ${shown}`;
    const healthy = status.conditions.find(({ type }) => type === "Healthy");
    if (healthy?.status !== "True") return `${name} is not healthy: ${shown}`;
    const live = await this.#world.live(name);
    if (live.length !== 1 || live[0] !== status.flinkJobId)
      return `${name} is ${status.flinkJobId} and lives as ${live.join(", ")}`;
    return (await this.#notMirrored(name, status)) ?? this.#problem();
  }

  async #notSuspended(): Promise<string | undefined> {
    const status = (await this.#world.status("job", COUNTER))?.status;
    const isDown = status?.flinkJobState === "Finished" && status["suspended"] === true && status.operation === undefined;
    if (!isDown) return `${COUNTER} is not suspended: ${JSON.stringify(status)}`;
    const live = await this.#world.live(COUNTER);
    return live.length === 0 ? this.#notMirrored(COUNTER, status) : `${COUNTER} lives as ${live.join(", ")}`;
  }

  async #notDeleted(name: string): Promise<string | undefined> {
    const status = (await this.#world.status("job", name))?.status;
    if (status?.["deleted"] === undefined || status.operation !== undefined)
      return `${name} is not deleted: ${JSON.stringify(status)}`;
    const live = await this.#world.live(name);
    return live.length === 0 ? this.#problem() : `${name} lives as ${live.join(", ")}`;
  }

  async #notReady(savepoint: string): Promise<string | undefined> {
    const status = (await this.#world.status("savepoint", savepoint))?.status;
    const uri = status?.["uri"];
    if (status?.phase !== "Ready" || typeof uri !== "string") return `Savepoint ${savepoint}: ${JSON.stringify(status)}`;
    return existsSync(fileURLToPath(uri)) ? undefined : `${uri} is not there`;
  }

  async #notMirrored(name: string, { flinkJobId, flinkJobState }: StatusFile["status"]): Promise<string | undefined> {
    const path = name.startsWith("stream-") ? "stream.yaml" : `${name}.yaml`;
    const text = (await this.#world.read("main", path)) ?? "";
    const shown = parseAllDocuments(text)
      .map((document) => Object(document.toJS()) as Readonly<Record<string, Readonly<Record<string, unknown>>>>)
      .find((document) => document["metadata"]?.["name"] === name && document["spec"]?.["resources"] !== undefined)?.["status"];
    const isShown = shown?.["flinkJobId"] === flinkJobId && shown?.["flinkJobState"] === flinkJobState;
    return isShown ? undefined : `${path} shows ${JSON.stringify(shown)} of ${name}`;
  }

  async #problem(): Promise<string | undefined> {
    const summary = parse((await this.#world.read(STATUS_BRANCH, "summary.yaml")) ?? "{}") as {
      readonly problems?: readonly string[];
      readonly unmirrored?: readonly string[];
    };
    return [...(summary.problems ?? []), ...(summary.unmirrored ?? [])][0];
  }

  async #noCheckpoint(file: StatusFile): Promise<string | undefined> {
    const path = `/jobs/${file.status.flinkJobId}/checkpoints`;
    const seen = Object(await this.#world.ask(clusterOf(file), path)) as { readonly counts?: { readonly completed?: number } };
    return (seen.counts?.completed ?? 0) > 0 ? undefined : `${file.status.flinkJobId} has completed no checkpoint`;
  }
}

function streamName(version: number): string {
  return `stream-v${version}`;
}

function clusterOf({ status }: Pick<StatusFile, "status">): string {
  return String(Reflect.get(Object(status["cluster"]), "name"));
}

import { describe, expect, it } from "vitest";
import { ALL_HOSTILE, expectNoMarkup, expectNothingSteers, HOSTILE } from "../support/hostile-text.ts";
import { readEvents } from "../support/event-stream.ts";
import { buildZip } from "../support/zip.ts";
import { penstock } from "../cli/command.ts";
import { startForeignJob } from "./foreign-job.ts";
import { aJob, anArtifact, aRunningJob } from "./manifests.ts";
import { createServedWorld } from "./served-world.ts";
import { conditionOf, createWorld, has, isRunning, STATUS_BRANCH, type World } from "./world.ts";

const MEGABYTE = 1024 ** 2;
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("");

/** Manifests that ask for minutes or gigabytes, each in another way. */
function bombs(): Readonly<Record<string, string | Uint8Array>> {
  const laughs = lines(12, (index) => `a${index + 1}: &a${index + 1} [${`*a${index}, `.repeat(9)}x]\n`);
  return {
    "bombs/laughs.yaml": `a0: &a0 [x, x]\n${laughs}`,
    "bombs/deep.yaml": "[".repeat(900_000),
    "bombs/escapes.yaml": `a: "${"\\z".repeat(500_000)}"\n`,
    "bombs/anchors.yaml": lines(20_000, (index) => `- &left${index} 1\n`) + lines(20_000, (index) => `- *lef${index}\n`),
    "bombs/directives.yaml": `${"%FOO bar\n".repeat(110_000)}---\na: 1\n`,
    "bombs/long.yaml": "- a\n".repeat(250_000),
    "bombs/text.yaml": aJob("text", {
      artifact: "orders",
      spec: `  jarOptions: {mainArgs: [&a "${"x".repeat(9000)}"${", *a".repeat(90)}]}\n`,
    }),
    "bombs/gigantic.yaml": `# ${"x".repeat(10 * MEGABYTE)}\n`,
    "bombs/utf16.yaml": Buffer.from("\uFEFFkind: Job\n", "utf16le"),
    "bombs/nul.yaml": "kind: Job\0\n",
  };
}

/** Ten thousand documents that are wrong in two ways each. */
function manyBadDocuments(): Readonly<Record<string, string>> {
  const bad = "---\napiVersion: core/v1alpha1\nkind: Job\nmetadata: {name: bad}\n".repeat(1000);
  return Object.fromEntries(Array.from({ length: 10 }, (_, file) => [`many/${file}.yaml`, bad]));
}

/** Every file of a branch, as text. */
async function filesOf(world: World, branch: string): Promise<ReadonlyMap<string, string>> {
  const paths = (await world.git.listTree("jobs", branch)).map((line) => line.split("\t")[1]!);
  return new Map(await Promise.all(paths.map(async (path) => [path, await world.git.readFile("jobs", branch, path)] as const)));
}

describe.concurrent("hostile manifests", () => {
  it("that would take minutes or gigabytes delay no good Job in the same commit, and each is told with its place", async () => {
    await using world = await createWorld();
    await world.push({ ...bombs(), ...manyBadDocuments(), ...(await aRunningJob("orders")) });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 3 }) });
    await daemon.untilJob("orders", ({ requestedRpus }) => requestedRpus === 3);
    await daemon.untilAtRest();
    const { problems } = await world.summary();
    expect(problems).toHaveLength(501);
    expect(problems.slice(0, 9).map((problem) => problem.slice(0, problem.indexOf(" ")))).toEqual([
      "bombs/deep.yaml:1:67",
      "bombs/directives.yaml:1001:1",
      "bombs/escapes.yaml:1:2005",
      "bombs/gigantic.yaml:1:1",
      "bombs/laughs.yaml:4:9",
      "bombs/long.yaml:50001:1",
      "bombs/nul.yaml:1:10",
      "bombs/text.yaml:2:1",
      "bombs/utf16.yaml:1:1",
    ]);
    expect(problems.at(-1)).toBe("… and 1519 more");
    for (const problem of problems.slice(0, -1)) expect(problem).toMatch(/^[\w./]+:\d+:\d+ .{10,500}$/);
    expect(daemon.logged("error")).toEqual([]);
  });

  it("that are links, submodules, pointers or badly named are named for what they are, and followed nowhere", async () => {
    await using world = await createWorld();
    const odd = {
      "link.yaml": { symlink: "../../../../etc/passwd" },
      "module.yaml": { submodule: "4".repeat(40) },
      "jars/link.jar": { symlink: "/etc/passwd" },
      "lfs.yaml": `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 1\n`,
      [`${HOSTILE.escape}.yaml`]: "kind: Job\n",
      [`${HOSTILE.turned}${HOSTILE.html}.yaml`.replaceAll("/", "-")]: "kind: Job\n",
      [`${HOSTILE.markdown}.yaml`.replaceAll("/", "-")]: "kind: Job\n",
      "out.yaml": anArtifact("out", "path: ../../etc/passwd") + anArtifact("link", "path: /jars/link.jar"),
      "proto.yaml":
        "__proto__: {kind: Job}\nconstructor: {prototype: {polluted: true}}\nkind: Job\nzone: local\nmetadata: {name: x}\n",
    };
    await world.push({ ...odd, ...(await aRunningJob("orders")) });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    const { problems } = await world.summary();
    expect(problems.map((problem) => problem.slice(0, 60))).toEqual([
      "[click](javascript:alert(1)) ![x](https:--evil.example.com-x",
      "\\x1b[31mred\\x1b]0;title\\x07\\xc2\\x9b2J.yaml:1:1 the name of t",
      'exe.\\u{202e}gpj\\u{2066}<img src=x onerror="alert(1)"><-td><s',
      "lfs.yaml:1:1 this is a Git LFS pointer, and the manifest its",
      "link.yaml:1:1 this is a symbolic link, and links are not fol",
      "module.yaml:1:1 this is a submodule, and submodules are not ",
      "out.yaml:8:18 spec.source.path must stay within the reposito",
      "proto.yaml:1:1 missing field apiVersion; add it: apiVersion:",
    ]);
    expect(conditionOf(await world.artifact("link"), "Available")?.message).toBe("jars/link.jar cannot be used: it is a symlink");
    for (const [path, text] of await filesOf(world, STATUS_BRANCH)) {
      if (path === "README.md") expectNoMarkup(path, text);
      else expectNothingSteers(path, text);
    }
    expectNothingSteers("the log", daemon.log());
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  it("whose jars are bombs or lies wait with the reason, and the good Job runs", async () => {
    await using world = await createWorld();
    const jars = {
      "jars/bomb.jar": buildZip([
        { name: "META-INF/MANIFEST.MF", content: "Main-Class: a.B\n".repeat(600_000) },
        { name: "a/C.class", content: "0".repeat(9 * MEGABYTE) },
      ]),
      "jars/cut.jar": buildZip([{ name: "a/B.class", content: "x" }]).subarray(0, 60),
      "jars/text.jar": "this is no jar\n",
      "jars/climbs.jar": buildZip([
        { name: "../../etc/cron.d/x", content: "x" },
        { name: "/a/B.class", content: "x" },
      ]),
    };
    const names = Object.keys(jars).map((path) => /(\w+)\.jar$/.exec(path)![1]!);
    const declared = names.map((name) => anArtifact(name, `path: /jars/${name}.jar`) + aJob(name, { entryClass: "a.B" }));
    await world.push({ ...jars, "bad.yaml": declared.join(""), ...(await aRunningJob("orders")) });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);
    const said = await Promise.all(
      names.map(async (name) => (await world.job(name))?.status.conditions.find(({ status }) => status === "False")?.message),
    );
    expect(said).toEqual([
      "entry class a.B is not in the jar; did you mean a.C? (Artifact bomb)",
      expect.stringMatching(/^waits for Artifact cut: jars\/cut\.jar is not a jar: End of central directory/),
      expect.stringMatching(/^waits for Artifact text: jars\/text\.jar is not a jar: End of central directory/),
      "entry class a.B is not in the jar; did you mean .a.B? (Artifact climbs)",
    ]);
  });
});

describe.concurrent("hostile words", () => {
  it("of Flink, of Git and of whoever opens a request stand nowhere as anything but text", async () => {
    await using served = await createServedWorld({ config: { previews: { branches: ["feature/**"] } } }, async (world) => {
      await startForeignJob(world.flink, "f".repeat(32), ALL_HOSTILE);
      await world.push(await aRunningJob("orders"), `${ALL_HOSTILE}\n\n${HOSTILE.lines}`);
    });
    const { world, daemon } = served;
    await using events = await readEvents(new URL("api/v1/events", served.url));
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    world.flink.setJobState(flinkJobId!, "FAILED", ALL_HOSTILE);
    world.flink.failRuns(100, "main-threw", ALL_HOSTILE);
    await daemon.untilJob("orders", has("Started", "ProgramFailed"));
    const main = await world.git.head("jobs", "main");
    const changed = { "x.yaml": aJob("x", { artifact: "orders", configuration: { [`"${HOSTILE.html}\\u202e\\e"`]: "1" } }) };
    await world.git.commitFiles("jobs", "feature/<img-src=x>\u202E-@everyone", changed, ALL_HOSTILE, {
      parent: main!,
    });
    for (let left = 200; (await world.git.head("jobs", "penstock/previews")) === undefined && left > 0; left -= 1)
      await daemon.passes(1);
    for (const branch of [STATUS_BRANCH, "penstock/previews"]) {
      for (const [path, text] of await filesOf(world, branch)) {
        if (path.endsWith(".md")) expectNoMarkup(path, text);
        else expectNothingSteers(path, text);
      }
    }
    for (const message of await world.statusCommits()) expectNothingSteers("a commit", message);
    for (const path of ["api/v1/jobs", "api/v1/clusters", "metrics", "readyz"])
      expectNothingSteers(path, await (await served.fetch(path)).text());
    expectNothingSteers("the log", daemon.log());
    for (const command of [
      ["status"],
      ["status", "orders"],
      ["status", "--output", "json"],
      ["plan"],
      ["plan", "--output", "json"],
      ["plan", "--output", "markdown"],
    ]) {
      const { stdout, stderr } = await penstock([...command, "--config", world.configFile], { clock: world.clock });
      expectNothingSteers(command.join(" "), stdout.replaceAll("\u2060", "") + stderr);
    }
    expect(JSON.stringify(await world.job("orders"))).toContain("onerror");
    const told = await events.until(({ data }) => data.includes("ProgramFailed"));
    expectNothingSteers("an event", told.data);
  });
});

describe.concurrent("a secret in a URL", () => {
  it("stands where its manifest stands, and nowhere else", async () => {
    await using served = await createServedWorld();
    const { world, daemon } = served;
    const token = "t0k3n-4711-abcdef";
    const url = `https://127.0.0.1:1/app.jar?token=${token}`;
    await world.push({
      ...(await aRunningJob("orders")),
      "url.yaml":
        anArtifact("url", `url: "${url}"`) + aJob("url") + anArtifact("user", `url: "https://ada:${token}@example.com/a.jar"`),
    });
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    for (const [path, text] of await filesOf(world, STATUS_BRANCH))
      expect([path, text.includes(token)]).toEqual([path, path === "local/default/artifact/url.yaml"]);
    expect(daemon.log()).not.toContain(token);
    for (const path of ["api/v1/artifacts", "api/v1/artifacts/local/default/url", "api/v1/jobs"]) {
      const answer = await (await served.fetch(path)).text();
      expect(answer, path).not.toContain(token);
      if (path.includes("artifacts")) expect(answer).toContain("https://127.0.0.1:1/app.jar?[secret]");
    }
    for (const command of [
      ["status"],
      ["status", "url"],
      ["status", "--output", "json"],
      ["plan"],
      ["plan", "--output", "json"],
      ["plan", "--output", "markdown"],
    ]) {
      const { stdout, stderr } = await penstock([...command, "--config", world.configFile], { clock: world.clock });
      expect(stdout + stderr, command.join(" ")).not.toContain(token);
    }
  });
});

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { aJob, aRunningJob, anArtifact } from "../scenarios/manifests.ts";
import { buildClass } from "../support/class-bytes.ts";
import { packJar } from "../support/jar.ts";
import { penstock, startPenstock } from "./command.ts";

const TYPO = aJob("typo", { configuration: { "execution.checkpointing.intervall": "30s" } });

interface Checkout extends AsyncDisposable {
  readonly folder: string;
  write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>;
}

/** A folder as a person has it who works on the manifests. */
async function aCheckout(files: Readonly<Record<string, string | Uint8Array>>): Promise<Checkout> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-checkout-"));
  await mkdir(join(folder, ".git"));
  const write: Checkout["write"] = async (changes) => {
    for (const [path, content] of Object.entries(changes)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
  };
  await write(files);
  return { folder, write, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) };
}

describe("penstock validate", () => {
  it("finds nothing wrong with the sample repository", async () => {
    const folder = join(import.meta.dirname, "../../jobs-example");
    expect(await penstock(["validate"], { folder })).toEqual({
      status: 0,
      stdout: "no problems, 4 valid resources in 2 files\n",
      stderr: "",
    });
  });

  it("says every problem with its place, then their number, and ends with 1", async () => {
    await using checkout = await aCheckout({
      "a/orders.yaml": anArtifact("orders") + TYPO,
      "b.yml": "kind: [\n",
      "c.yaml": "apiVersion: apps/v1\nkind: Deployment\n",
    });
    const { status, stdout, stderr } = await penstock(["validate"], checkout);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(stdout.trimEnd().split("\n")).toEqual([
      "a/orders.yaml:8:18 spec.source.path leads to jars/counter.jar, where there is no file; add the jar, or correct the path",
      "a/orders.yaml:21:5 unknown option execution.checkpointing.intervall; did you mean execution.checkpointing.interval?",
      expect.stringMatching(/^b\.yml:\d+:\d+ \S/),
      "3 problems, 1 valid resource in 3 files",
    ]);
  });

  it("takes single files and folders, and knows the repository that they lie in", async () => {
    await using checkout = await aCheckout({ ...(await aRunningJob("orders")), "bad/typo.yaml": TYPO });
    expect(await penstock(["validate", "orders.yaml"], checkout)).toMatchObject({
      status: 0,
      stdout: "no problems, 2 valid resources in 1 file\n",
    });
    const both = await penstock(["validate", "orders.yaml", "bad"], checkout);
    expect(both.status).toBe(1);
    expect(both.stdout).toMatch(/^bad\/typo\.yaml:\d+:\d+ unknown option .*\n1 problem, 2 valid resources in 2 files\n$/);
  });

  it("says both places of two documents with one identity", async () => {
    await using checkout = await aCheckout({ ...(await aRunningJob("orders")), "copy.yaml": aJob("orders") });
    const { status, stdout } = await penstock(["validate"], checkout);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^copy\.yaml:.*orders\.yaml.*\norders\.yaml:.*copy\.yaml.*\n2 problems, 1 valid resource in 2 files\n$/,
    );
  });

  it("gives programs a stable JSON", async () => {
    await using checkout = await aCheckout({ "typo.yaml": TYPO });
    const { status, stdout, stderr } = await penstock(["validate", "--output", "json"], checkout);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      files: 1,
      resources: 0,
      problems: [
        {
          file: "typo.yaml",
          line: 13,
          column: 5,
          message: "unknown option execution.checkpointing.intervall; did you mean execution.checkpointing.interval?",
        },
      ],
      notices: [],
    });
  });

  it("looks into the jars that are here: the classes, and the digest", async () => {
    const jar = packJar([
      ["demo/Main.class", buildClass({ name: "demo.Main" })],
      ["demo/Helper.class", buildClass({ name: "demo.Helper", methods: [] })],
    ]);
    const digest = "ab".repeat(32);
    await using checkout = await aCheckout({
      "jars/counter.jar": jar,
      "jars/text.jar": "hello",
      "good.yaml": anArtifact("app") + aJob("good", { artifact: "app", entryClass: "demo.Main" }),
      "helper.yaml": aJob("helper", { artifact: "app", entryClass: "demo.Helper" }),
      "typo.yaml": aJob("typo", { artifact: "app", entryClass: "demo.Mian" }),
      "text.yaml": anArtifact("text", "path: /jars/text.jar") + aJob("text", { entryClass: "demo.Main" }),
      "pinned.yaml": anArtifact("pinned", `path: /jars/counter.jar, sha256: "${digest}"`),
      "remote.yaml": aJob("remote", { artifact: "elsewhere", entryClass: "demo.Anything" }),
    });
    const { status, stdout } = await penstock(["validate"], checkout);
    expect(status).toBe(1);
    expect(stdout.trimEnd().split("\n")).toEqual([
      "helper.yaml:10:31 demo.Helper has no public static void main(String[]) (Artifact app)",
      `pinned.yaml:8:45 spec.source.sha256 is not the jar's: that is ${createHash("sha256").update(jar).digest("hex")}`,
      expect.stringMatching(/^text\.yaml:8:18 spec\.source\.path leads to a file that is not a jar: /),
      "typo.yaml:10:31 entry class demo.Mian is not in the jar; did you mean demo.Main? (Artifact app)",
      "4 problems, 8 valid resources in 6 files",
    ]);
  });

  it("notes what may be wrong, and is content all the same", async () => {
    const jar = packJar([
      ["demo/Main.class", buildClass({ name: "demo.Main", javaVersion: 17 })],
      ["org/apache/flink/runtime/A.class", Buffer.from("x")],
    ]);
    await using checkout = await aCheckout({
      "jars/counter.jar": jar,
      "app.yaml": anArtifact("app") + aJob("app", { entryClass: "demo.Main" }),
    });
    const { status, stdout } = await penstock(["validate"], checkout);
    expect(status).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(
        /^note: app\.yaml:8:18 the jar holds 1 class of Flink itself: org\/apache\/flink\/runtime\/A\.class; /,
      ),
      "note: app.yaml:18:31 demo.Main is compiled for Java 17, and Flink 1.16 was released for Java up to 11",
      "no problems, 2 valid resources in 1 file",
    ]);
  });

  it("does not mind a jar that Git LFS keeps elsewhere", async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"1f".repeat(32)}\nsize 123\n`;
    await using checkout = await aCheckout({ "app.yaml": anArtifact("app"), "jars/counter.jar": pointer });
    expect((await penstock(["validate"], checkout)).status).toBe(0);
  });

  it("ends with 2 when a place does not exist, and says which", async () => {
    await using checkout = await aCheckout({});
    const { status, stdout, stderr } = await penstock(["validate", "nowhere"], checkout);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/nowhere/);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("says what it will not read: a symbolic link, a file that is too large", async () => {
    await using checkout = await aCheckout({ "real.txt": anArtifact("a"), "large.yaml": `# ${"x".repeat(1024 ** 2)}\n` });
    await symlink("real.txt", join(checkout.folder, "link.yaml"));
    const { status, stdout } = await penstock(["validate"], checkout);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^large\.yaml:1:1 .*\nlink\.yaml:1:1 .*\n2 problems, 0 valid resources in 0 files\n$/);
  });

  it("reads nothing that Git would not keep, and follows no link out of the folder", async () => {
    await using outside = await aCheckout(await aRunningJob("secret"));
    await using checkout = await aCheckout({
      "a.yaml": anArtifact("a", "path: linked/counter.jar") + anArtifact("b", "path: b.jar") + anArtifact("c", "path: pipe.jar"),
      "vendor/lib/.git": "gitdir: ../../.git/modules/lib\n",
      "vendor/lib/broken.yaml": "kind: [\n",
    });
    await symlink(join(outside.folder, "jars"), join(checkout.folder, "linked"));
    await symlink(join(outside.folder, "jars/counter.jar"), join(checkout.folder, "b.jar"));
    await symlink(outside.folder, join(checkout.folder, "elsewhere"));
    for (const name of ["pipe.yaml", "pipe.jar"]) execFileSync("mkfifo", [join(checkout.folder, name)]);
    const { status, stdout, stderr } = await penstock(["validate"], checkout);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(stdout.trimEnd().split("\n")).toEqual([
      "a.yaml:8:18 spec.source.path leads to linked/counter.jar, and linked is a symbolic link, which is not followed; put the jar itself there",
      "a.yaml:16:18 spec.source.path leads to b.jar, and b.jar is a symbolic link, which is not followed; put the jar itself there",
      "a.yaml:24:18 spec.source.path leads to pipe.jar, where there is no file; add the jar, or correct the path",
      "3 problems, 3 valid resources in 1 file",
    ]);
    expect(await penstock(["validate", "pipe.yaml"], checkout)).toEqual({
      status: 2,
      stdout: "",
      stderr: "pipe.yaml is neither a folder nor a file\n",
    });
  });

  it("steers no terminal by what files are called or hold", async () => {
    await using checkout = await aCheckout({
      "line\nbreak \u001B[31m.yaml": anArtifact("a"),
      "turned \u202E around.yaml": `\u001B[2J: 1\n${TYPO.replace("typo", '"\\e]0;title\\a\u009B31m"')}`,
      "turned.yaml": `---\nkind: "\\e[31mJob\\x9b"\napiVersion: core/v1alpha1\n`,
    });
    const { status, stdout } = await penstock(["validate"], checkout);
    expect(status).toBe(1);
    expect(stdout).not.toMatch(/[^\P{C}\n]/u);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.slice(0, 40)),
    ).toEqual([
      "line\\u{a}break \\u{1b}[31m.yaml:1:1 the n",
      "turned \\u{202e} around.yaml:6:18 metadat",
      "turned \\u{202e} around.yaml:14:5 unknown",
      "turned.yaml:2:7 kind must be one of Proj",
      "4 problems, 0 valid resources in 2 files",
    ]);
    const { stdout: json } = await penstock(["validate", "--output", "json"], checkout);
    expect(json).not.toMatch(/[^\P{C}\n]/u);
  });

  it("is coloured on a terminal, and not with NO_COLOR", async () => {
    await using checkout = await aCheckout({ ...(await aRunningJob("orders")) });
    const coloured = await penstock(["validate"], { ...checkout, terminal: true });
    expect(coloured.stdout).toBe("\u001b[32mno problems, 2 valid resources in 1 file\u001b[39m\n");
    const plain = await penstock(["validate"], { ...checkout, terminal: true, environment: { NO_COLOR: "1" } });
    expect(plain.stdout).toBe("no problems, 2 valid resources in 1 file\n");
  });
});

describe("penstock validate --watch", () => {
  it("checks again after each change, until it is stopped", async () => {
    await using checkout = await aCheckout({ ...(await aRunningJob("orders")) });
    const watching = startPenstock(["validate", "--watch"], checkout);
    await watching.until("watching for changes; Ctrl-C ends it");
    expect(watching.stdout()).toBe("no problems, 2 valid resources in 1 file\n");
    await checkout.write({ "typo.yaml": TYPO });
    await watching.until("1 problem, 2 valid resources in 2 files");
    await checkout.write({ "typo.yaml": aJob("typo", { artifact: "orders" }) });
    await watching.until("no problems, 3 valid resources in 2 files");
    await rm(join(checkout.folder, "orders.yaml"));
    await watching.until("no problems, 1 valid resource in 1 file");
    expect((await watching.stop()).status).toBe(0);
  });

  it("ends with 2 at once when there is nothing to watch", async () => {
    await using checkout = await aCheckout({});
    const { status, stderr } = await penstock(["validate", "--watch", "nowhere"], checkout);
    expect(status).toBe(2);
    expect(stderr).toContain("nowhere");
  });

  it("ends when it is stopped before its first check is over", async () => {
    await using checkout = await aCheckout({ ...(await aRunningJob("orders")) });
    expect(await startPenstock(["validate", "--watch"], checkout).stop()).toMatchObject({ status: 0, stderr: "" });
  });
});

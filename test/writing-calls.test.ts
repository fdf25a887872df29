import { readdirSync, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../src/common/clock.ts";
import { WRITING_CALLS, type WritingCall } from "../src/common/writing-calls.ts";
import { FlinkClient } from "../src/flink/flink-client.ts";
import { type Call, type CallTerms, FlinkTransport } from "../src/flink/transport.ts";
import { giteaDialect } from "../src/forge/gitea.ts";
import { githubDialect } from "../src/forge/github.ts";
import { gitlabDialect } from "../src/forge/gitlab.ts";
import { recognizeFlinkWrite } from "./support/recognize-write.ts";
import { TEST_JOB_JAR } from "./support/test-job.ts";

const signal = new AbortController().signal;
const ID = "0123456789abcdef0123456789abcdef";
const SAVEPOINT = { triggerId: "f".repeat(32), targetDirectory: "file:///s" };

function namesTo(where: (typeof WRITING_CALLS)[WritingCall]["to"]): readonly string[] {
  return Object.entries(WRITING_CALLS)
    .filter(([, { to }]) => to === where)
    .map(([name]) => name)
    .sort();
}

describe("the list of writing calls", () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method ?? ""} ${request.url ?? ""}`);
    request.resume();
    response.writeHead(500, { "content-type": "application/json" }).end('{"errors":["no"]}');
  });

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
  });

  it("holds all that the client of Flink can send besides questions, and nothing more", async () => {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const client = new FlinkClient({ name: "eu-a", url, timeoutMs: 3000 }, { clock: systemClock });
    const jar = { fileName: "a.jar", path: TEST_JOB_JAR, size: (await stat(TEST_JOB_JAR)).size };
    const options = { flinkVersion: "1.20.5", flinkJobId: ID, entryClass: "A", programArgs: [], parallelism: 1 };
    const sent: Readonly<Record<string, () => Promise<unknown>>> = {
      uploadJar: async () => client.uploadJar(jar, signal),
      runJar: async () => client.runJar("a.jar", { ...options, flinkConfiguration: {} }, signal),
      deleteJar: async () => client.deleteJar("a.jar", signal),
      cancelJob: async () => client.cancelJob(ID, signal),
      stopWithSavepoint: async () => client.stopWithSavepoint(ID, { ...SAVEPOINT, drain: false }, signal),
      triggerSavepoint: async () => client.triggerSavepoint(ID, SAVEPOINT, signal),
      disposeSavepoint: async () => client.disposeSavepoint("file:///s/1", signal),
      putResourceRequirements: async () => client.putResourceRequirements(ID, new Map(), signal),
    };
    const methods = Object.getOwnPropertyNames(FlinkClient.prototype).filter((name) => name !== "constructor");
    expect(methods.sort()).toEqual(Object.keys(sent).sort());
    for (const send of Object.values(sent)) await expect(send()).rejects.toThrow(/500|no/);
    await client.close();
    const names = seen.map((line) => {
      const [method = "", path = ""] = line.split(" ");
      return recognizeFlinkWrite(method, path);
    });
    expect(new Set(names)).toEqual(new Set(namesTo("flink")));
  });

  it("is all that a transport of Flink takes: a writing call without a name does not compile", () => {
    const terms: CallTerms = { timeoutMs: 1, maxBytes: 1 };
    // @ts-expect-error Only a question says its method and path itself.
    const unnamed: Call = { ...terms, method: "POST", path: "/jars/upload" };
    // @ts-expect-error It is not in the list.
    const unknown: Call = { ...terms, write: "stop-cluster" };
    const calls: Parameters<FlinkTransport["call"]>[0][] = [unnamed, unknown];
    expect(calls).toHaveLength(2);
  });

  it("holds all that is changed on a forge", () => {
    for (const dialect of [githubDialect("a/b"), gitlabDialect("a/b"), giteaDialect("a/b")]) {
      const status = { state: "success", context: "c", description: "d" } as const;
      const changes = [dialect.createComment(1, ""), dialect.updateComment(1, 2, ""), dialect.setStatus("c0", status)];
      expect(changes.map(({ write }) => write).sort()).toEqual(namesTo("forge"));
    }
  });

  it("holds every push: there is one place that pushes, and who uses it names what it pushes", () => {
    const root = join(import.meta.dirname, "../src");
    const texts = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .sort()
      .map((file) => [file, readFileSync(join(root, file), "utf8")] as const);
    const holding = (pattern: RegExp): readonly string[] => texts.filter(([, text]) => pattern.test(text)).map(([file]) => file);
    expect(holding(/\bsendPush\(/)).toEqual(["git/push.ts", "git/pusher.ts"]);
    expect(holding(/url: .*git-receive-pack/)).toEqual(["git/push.ts"]);
    const named = texts.flatMap(([, text]) => [...text.matchAll(/write: "(push-[a-z]+)"/g)].map((match) => match[1]!));
    expect(named.sort()).toEqual(namesTo("git"));
    // What is no GET elsewhere is a question: of refs, packs and LFS objects.
    const methods = holding(/method: .*"(?:POST|PUT|PATCH|DELETE)"/).filter((file) => file !== "common/writing-calls.ts");
    expect(methods).toEqual([
      "artifacts/http-get.ts",
      "forge/dialect.ts",
      "forge/github.ts",
      "forge/gitlab.ts",
      "git/http-transport.ts",
      "git/list-refs.ts",
      "git/push.ts",
    ]);
  });
});

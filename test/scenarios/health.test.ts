import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { penstock } from "../cli/command.ts";
import { readEvents } from "../support/event-stream.ts";
import { aRunningJob } from "./manifests.ts";
import { createServedWorld, type ServedWorld } from "./served-world.ts";
import { createWorld, isRunning } from "./world.ts";

async function ready(served: ServedWorld): Promise<readonly [status: number, reasons: string, remarks: string]> {
  const response = await served.fetch("readyz");
  const { reasons, remarks } = (await response.json()) as {
    readonly reasons: readonly string[];
    readonly remarks: readonly string[];
  };
  return [response.status, reasons.join("\n"), remarks.join("\n")];
}

/** A pass waits for its push to the status branch until it is released. */
function holdPushes({ world }: ServedWorld): { readonly arrived: Promise<void>; readonly release: () => void } {
  const arrived = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  world.git.before({ service: "git-receive-pack" }, async () => {
    arrived.resolve();
    await held.promise;
  });
  return { arrived: arrived.promise, release: held.resolve };
}

async function healthy(served: ServedWorld): Promise<number> {
  return (await served.fetch("healthz")).status;
}

describe.concurrent("/readyz", () => {
  it("is ready after the first pass, and says why it is not", async () => {
    await using served = await createServedWorld({ clusters: { second: {} } }, async (world) => {
      world.git.fault({ kind: "status", status: 500 }, { times: 2 });
      await world.push(await aRunningJob("orders"));
    });
    const { world, daemon } = served;
    await daemon.untilBlind();
    expect(await ready(served)).toEqual([503, expect.stringContaining("cannot be reached: status 500"), ""]);
    await daemon.untilJob("orders", isRunning);
    expect(await ready(served)).toEqual([200, "", ""]);

    await world.cluster("second").refuse();
    await daemon.until("one is away", ({ observed }) => observed.clusters.some(({ kind }) => kind === "unreachable"));
    expect(await ready(served)).toEqual([
      200,
      "",
      expect.stringMatching(/^cluster local\/second cannot be reached since .*refused/),
    ]);
    await world.flink.refuse();
    await daemon.until("both are away", ({ observed }) => observed.clusters.every(({ kind }) => kind === "unreachable"));
    expect(await ready(served)).toEqual([503, expect.stringContaining("cluster local/main cannot be reached"), ""]);
    expect(await healthy(served)).toBe(200); // a restart of the daemon would not bring them back
    await Promise.all([world.flink.accept(), world.cluster("second").accept()]);
    world.clock.pass(60_000); // the circuit breakers let calls pass again
    await daemon.until("both are back", ({ observed }) => observed.clusters.every(({ kind }) => kind === "reachable"));

    world.git.fault({ kind: "status", status: 503 });
    await daemon.until("Git is away", ({ snapshot }) => snapshot.stale !== undefined);
    expect(await ready(served)).toEqual([503, expect.stringContaining("the repository cannot be read: "), ""]);
    world.git.heal();
    await daemon.until("Git is back", ({ snapshot }) => snapshot.stale === undefined);
    await world.git.installHook("jobs", "pre-receive", "echo read-only >&2; exit 1");
    await world.push(await aRunningJob("clicks"));
    await daemon.until("nothing can be written", ({ published }) => published.kind === "failed");
    expect(await ready(served)).toEqual([503, expect.stringMatching(/^the status branch cannot be written: .*read-only/), ""]);
    expect(await healthy(served)).toBe(200);
  });
});

describe.concurrent("/healthz", () => {
  it("tells a pass that hangs from one that takes its time", async () => {
    await using served = await createServedWorld({}, async (world) => world.push(await aRunningJob("orders")));
    await served.daemon.untilJob("orders", isRunning);
    const push = holdPushes(served);
    await served.world.push({ "orders.yaml": null });
    await push.arrived;
    expect(await healthy(served)).toBe(200);
    served.world.clock.pass(300_000); // far more than the Git server may take
    const response = await served.fetch("healthz");
    push.release();
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: "unhealthy",
      reasons: [expect.stringMatching(/^the pass that began at /)],
    });
  });
});

describe.concurrent("the server's own life", () => {
  it("ends with the daemon, streams and kept connections included, and says before that it is not ready", async () => {
    await using served = await createServedWorld({}, async (world) => world.push(await aRunningJob("orders")));
    await served.daemon.untilJob("orders", isRunning);
    await using reader = await readEvents(new URL("api/v1/events", served.url));
    const push = holdPushes(served);
    await served.world.push({ "orders.yaml": null });
    await push.arrived;
    const end = served.daemon.stop();
    expect(await ready(served)).toEqual([503, expect.stringContaining("the daemon is ending"), ""]);
    expect(await healthy(served)).toBe(200);
    push.release();
    await end;
    await expect(reader.until(() => false)).rejects.toThrow("the stream ended");
    await expect(served.fetch("healthz")).rejects.toThrow("fetch failed");
  });

  it("does not begin where the port is taken: the command says the way out and nothing is called", async () => {
    await using world = await createWorld();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const file = join(dirname(world.configFile), "taken.yaml");
    const config = JSON.parse(await readFile(world.configFile, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...config, server: { port } }));
    const { status, stderr } = await penstock(["run", "--config", file]);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      new RegExp(`cannot listen on 127\\.0\\.0\\.1 port ${port}: .*EADDRINUSE.*; set server\\.host and server\\.port`),
    );
    expect(stderr).not.toContain("    at ");
    expect(world.flink.calls).toEqual([]);
    expect((await penstock(["run", "--config", file, "--once", "--timeout", "1s"])).status).toBe(1); // an empty repository, and no word of the port
    other.close();
  });
});

import { connect } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { readEvents } from "../support/event-stream.ts";
import { startTestServer, type TestServer } from "./server-harness.ts";

const PATH = "api/v1/events";
const LIMITS = { streams: 50, heartbeatMs: 60_000, bufferBytes: 256 * 1024 };

function tell({ server }: TestServer, ...names: readonly string[]): void {
  for (const name of names)
    server.transitions.add({ type: "resource", kind: "Job", zone: "eu", project: "default", name, change: "new → Pending" });
}

function namesOf(events: readonly { readonly data: string }[]): readonly (string | undefined)[] {
  return events.map(({ data }) => (JSON.parse(data) as { readonly name?: string }).name);
}

describe.concurrent("server-sent events", () => {
  it("tell each transition as it happens, from now on", async () => {
    await using test = await startTestServer();
    tell(test, "before");
    await using reader = await readEvents(new URL(PATH, test.server.url));
    tell(test, "a", "b");
    const last = await reader.until(({ data }) => data.includes('"b"'));
    expect(namesOf(reader.events)).toEqual(["a", "b"]);
    expect(last).toMatchObject({ event: "resource", id: test.server.transitions.lastId });
    expect(JSON.parse(last.data)).toEqual({
      id: last.id,
      at: "2026-11-22T17:00:00Z",
      type: "resource",
      kind: "Job",
      zone: "eu",
      project: "default",
      name: "b",
      change: "new → Pending",
    });
  });

  it("go on after the last id that a reader has, given by header or by parameter", async () => {
    await using test = await startTestServer();
    tell(test, "a", "b");
    const { items } = (await (await test.fetch(PATH)).json()) as { readonly items: readonly { readonly id: string }[] };
    const first = items[0]!.id;
    for (const [url, headers] of [
      [PATH, { "last-event-id": first }],
      [`${PATH}?after=${first}`, {}],
      [`${PATH}?after=nonsense`, { "last-event-id": first }],
    ] as const) {
      await using reader = await readEvents(new URL(url, test.server.url), headers);
      await reader.untilComment("welcome");
      expect(namesOf(reader.events)).toEqual(["b"]);
    }
  });

  it("say that something is missing after an id of another process, or one that is long gone", async () => {
    await using test = await startTestServer();
    tell(test, "oldest");
    const old = test.server.transitions.lastId;
    tell(test, ...Array.from({ length: 1001 }, (_, index) => `job-${index}`));
    for (const id of [old, "other-1", "mwsd-99999999999999999", ""]) {
      await using reader = await readEvents(new URL(PATH, test.server.url), { "last-event-id": id });
      await reader.untilComment("welcome");
      expect(reader.events[0]).toMatchObject({ event: "gap" });
      expect(reader.events).toHaveLength(1001);
    }
    const page = (await (await test.fetch(`${PATH}?after=other-1&limit=2`)).json()) as { readonly items: unknown; gap: boolean };
    expect(page).toMatchObject({ gap: true, items: [{ name: "job-999" }, { name: "job-1000" }] });
  });

  it("are kept alive by a comment now and then", async () => {
    await using test = await startTestServer({ streamLimits: { ...LIMITS, heartbeatMs: 10 } });
    await using reader = await readEvents(new URL(PATH, test.server.url));
    await reader.untilComment("heartbeat");
    expect(reader.events).toEqual([]);
  });

  it("drop a reader that does not read, and go on for the others", async () => {
    await using test = await startTestServer({ streamLimits: { ...LIMITS, bufferBytes: 64 * 1024 } });
    const { hostname, port } = test.server.url;
    const slow = connect(Number(port), hostname);
    slow.on("error", () => {}); // it is cut off, which is what is tested
    slow.pause().write(`GET /${PATH} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`);
    await once(slow, "readable");
    await using quick = await readEvents(new URL(PATH, test.server.url));
    const dropped = async () => (await (await test.fetch("metrics")).text()).includes("penstock_event_streams_dropped_total 1\n");
    const long = "x".repeat(4000);
    let told = 0;
    while (!(await dropped())) {
      // Less at once than the quick one may leave unread.
      tell(test, ...Array.from({ length: 10 }, (_, index) => `${told + index}-${long}`));
      told += 10;
      await quick.until(({ data }) => data.includes(`"${told - 1}-`));
    }
    expect(quick.events).toHaveLength(told);
    expect(await (await test.fetch("metrics")).text()).toContain("penstock_event_streams 1\n");
    slow.destroy();
  });

  it("are refused to more readers than there may be", async () => {
    await using test = await startTestServer({ streamLimits: { ...LIMITS, streams: 1 } });
    await using _ = await readEvents(new URL(PATH, test.server.url));
    const refused = await test.fetch(PATH, { headers: { accept: "text/event-stream" } });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ detail: "too many readers at once" });
  });

  it("end when the server closes, at once", async () => {
    const test = await startTestServer();
    await using reader = await readEvents(new URL(PATH, test.server.url));
    await test[Symbol.asyncDispose]();
    await expect(reader.until(() => false)).rejects.toThrow("the stream ended");
  });
});

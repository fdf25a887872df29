import SwaggerParser from "@apidevtools/swagger-parser";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { readEvents } from "../support/event-stream.ts";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import { createServedWorld, type ServedWorld } from "./served-world.ts";
import { has, isRunning } from "./world.ts";

interface List {
  readonly items: readonly { readonly metadata: { readonly name: string }; readonly status: { readonly phase: string } }[];
  readonly next?: string;
}

type Json = Readonly<Record<string, unknown>>;

const SAVEPOINT = `---
apiVersion: core/v1alpha1
kind: Savepoint
zone: local
metadata: {name: kept, project: default}
spec: {type: External, uri: "file:///nowhere/savepoint-1"}
`;

/** Two Jobs that run, one that waits, a Savepoint, and two clusters of which one is away. */
async function aWorldToRead(): Promise<ServedWorld> {
  const served = await createServedWorld({ clusters: { second: { slots: 1 } } }, async (world) => {
    await world.push({
      ...(await aRunningJob("orders")),
      "more.yaml": aJob("clicks", { artifact: "orders" }) + aJob("big", { artifact: "orders", rpus: 100 }) + SAVEPOINT,
    });
  });
  for (const name of ["orders", "clicks"]) await served.daemon.untilJob(name, isRunning);
  await served.daemon.untilJob("big", has("Placed", "NotEnoughSlots"));
  await served.daemon.untilAtRest();
  await served.world.cluster("second").refuse();
  await served.daemon.until("one is away", ({ observed }) => observed.clusters.some(({ kind }) => kind === "unreachable"));
  return served;
}

function namesOf({ items }: List): readonly string[] {
  return items.map(({ metadata }) => metadata.name);
}

describe.concurrent("the read API", () => {
  it("shows every resource and cluster, as the status branch and the last look have them", async () => {
    await using served = await aWorldToRead();
    const { json, world } = served;
    const jobs = (await json("api/v1/jobs")) as List;
    expect(namesOf(jobs)).toEqual(["big", "clicks", "orders"]);
    expect(jobs).not.toHaveProperty("next");
    const job = await json("api/v1/jobs/local/default/orders");
    expect(job).toEqual(await world.job("orders"));
    expect(jobs.items[2]).toEqual(job);
    expect(namesOf((await json("api/v1/artifacts")) as List)).toEqual(["orders"]);
    expect(await json("api/v1/artifacts/local/default/orders")).toMatchObject({ kind: "Artifact", status: { phase: "Ready" } });
    expect(await json("api/v1/savepoints/local/default/kept")).toMatchObject({ kind: "Savepoint", spec: { type: "External" } });
    expect(await json("api/v1/clusters")).toEqual({
      items: [
        expect.objectContaining({
          zone: "local",
          name: "main",
          reachable: true,
          flinkVersion: "1.16.3",
          slots: { total: 8, free: 4 },
          jobs: { ours: 2, others: 0 },
        }),
        {
          zone: "local",
          name: "second",
          url: world.cluster("second").url.href,
          reachable: false,
          because: expect.stringContaining("connection refused"),
          since: expect.stringMatching(/^\d{4}-/),
        },
      ],
    });
    expect(await json("api/v1/clusters/local/main")).toMatchObject({ name: "main", incarnation: world.flink.incarnation });
  });

  it("filters, and gives pages that go on where the last one ended", async () => {
    await using served = await aWorldToRead();
    const names: string[] = [];
    let cursor = "";
    do {
      const page = (await served.json(`api/v1/jobs?limit=2${cursor}`)) as List;
      names.push(...namesOf(page));
      cursor = page.next === undefined ? "" : `&cursor=${page.next}`;
    } while (cursor !== "");
    expect(names).toEqual(["big", "clicks", "orders"]);
    expect(namesOf((await served.json("api/v1/jobs?zone=local&project=default&limit=1")) as List)).toEqual(["big"]);
    expect(await served.json("api/v1/jobs?zone=elsewhere")).toEqual({ items: [] });
    expect(await served.json("api/v1/clusters?zone=elsewhere")).toEqual({ items: [] });
    for (const path of ["jobs/local/default/none", "jobs/local/other/orders", "clusters/local/none", "savepoints/x/y/z"])
      expect(await served.json(`api/v1/${path}`)).toMatchObject({ status: 404 });
  });

  it("says in a line that nothing changed since", async () => {
    await using served = await aWorldToRead();
    const path = "api/v1/jobs/local/default/big";
    const tag = (await served.fetch(path)).headers.get("etag")!;
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const same = await served.fetch(path, { headers: { "if-none-match": known } });
      expect([same.status, await same.text()]).toEqual([304, ""]);
    }
    const big = aJob("big", { artifact: "orders", rpus: 101 });
    await served.daemon.untilApplied(
      await served.world.push({ "more.yaml": aJob("clicks", { artifact: "orders" }) + big + SAVEPOINT }),
    );
    const changed = await served.fetch(path, { headers: { "if-none-match": tag } });
    expect(changed.status).toBe(200);
    const missing = await served.fetch("api/v1/jobs/local/default/none", { headers: { "if-none-match": "*" } });
    expect(missing.status).toBe(404);
  });

  it("is what its OpenAPI document says, which is one", async () => {
    await using served = await aWorldToRead();
    const document = (await served.json("api/v1/openapi.json")) as Json & { paths: Record<string, unknown> };
    await SwaggerParser.validate(structuredClone(document) as never);
    expect(Object.keys(document.paths).map((path) => path.replace("/api/v1/", ""))).toEqual([
      "jobs",
      "jobs/{zone}/{project}/{name}",
      "artifacts",
      "artifacts/{zone}/{project}/{name}",
      "savepoints",
      "savepoints/{zone}/{project}/{name}",
      "clusters",
      "clusters/{zone}/{name}",
      "events",
    ]);
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document, "penstock");
    const answers: Readonly<Record<string, string>> = {
      jobs: "jobs?limit=2",
      "jobs/{zone}/{project}/{name}": "jobs/local/default/orders",
      artifacts: "artifacts",
      "artifacts/{zone}/{project}/{name}": "artifacts/local/default/orders",
      savepoints: "savepoints",
      "savepoints/{zone}/{project}/{name}": "savepoints/local/default/kept",
      clusters: "clusters",
      "clusters/{zone}/{name}": "clusters/local/second",
      events: "events?limit=500",
    };
    for (const [path, asked] of Object.entries(answers)) {
      const pointer = ["/api/v1/" + path, "get", "responses", "200", "content", "application/json", "schema"];
      const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
      const validate = ajv.getSchema(`penstock#/paths/${escaped}`)!;
      expect([path, validate(await served.json(`api/v1/${asked}`)), validate.errors]).toEqual([path, true, null]);
    }
    const problem = ajv.getSchema("penstock#/components/schemas/Problem")!;
    expect(problem(await served.json("api/v1/jobs?limit=0"))).toBe(true);
  });

  it("tells transitions as they are written, and what a reader missed", async () => {
    await using served = await createServedWorld({}, async (world) =>
      world.push({ "orders.yaml": anArtifact("orders"), "jars/counter.jar": await counterJar() }),
    );
    await served.daemon.untilAtRest();
    await using reader = await readEvents(new URL("api/v1/events", served.url));
    await reader.untilComment("welcome");
    const commit = await served.world.push(await aRunningJob("orders"));
    const running = await reader.until(({ data }) => data.includes("Pending → Ready, Running"));
    expect(JSON.parse(running.data)).toMatchObject({
      type: "resource",
      kind: "Job",
      zone: "local",
      project: "default",
      name: "orders",
    });
    const inForce = await reader.until(({ event }) => event === "commit");
    expect(JSON.parse(inForce.data)).toMatchObject({ commit, change: "in force" });

    await served.world.flink.refuse();
    const lost = await reader.until(({ event }) => event === "cluster");
    expect(JSON.parse(lost.data)).toMatchObject({ zone: "local", name: "main", change: "unreachable" });
    await served.world.flink.accept();
    served.world.clock.pass(60_000); // the circuit breaker lets calls pass again
    await reader.until(({ event, data }) => event === "cluster" && data.includes('"reachable"'));

    await using late = await readEvents(new URL("api/v1/events", served.url), { "last-event-id": inForce.id! });
    await late.until(({ id }) => id === lost.id);
    const page = (await served.json(`api/v1/events?after=${inForce.id}`)) as {
      readonly items: readonly { readonly id: string }[];
    };
    expect(page.items.map(({ id }) => id).slice(0, late.events.length)).toEqual(late.events.map(({ id }) => id));
  });
});

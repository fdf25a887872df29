import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { createLog, type Log, type LogLevel } from "../../src/common/log.ts";
import { Secret } from "../../src/common/secrets.ts";

function aLog(options: { readonly level?: LogLevel; readonly people?: boolean } = {}): {
  readonly log: Log;
  readonly text: () => string;
} {
  let written = "";
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString("utf8");
      done();
    },
  });
  return { log: createLog({ level: "info", people: false, ...options, stream }), text: () => written };
}

describe("createLog", () => {
  it("writes one line of JSON a message, with the time in ISO form and the facts in fields", () => {
    const { log, text } = aLog();
    log.child({ pass: 42 }).info({ job: "orders" }, "action done");
    const line = JSON.parse(text()) as Record<string, unknown>;
    expect(text().endsWith("\n")).toBe(true);
    expect(line).toMatchObject({ level: 30, pass: 42, job: "orders", msg: "action done" });
    expect(line["time"]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(Object.keys(line)).not.toContain("pid");
  });

  it("leaves out what is below its level", () => {
    const { log, text } = aLog({ level: "warn" });
    log.info("quiet");
    log.warn("loud");
    expect(text()).toContain("loud");
    expect(text()).not.toContain("quiet");
  });

  it.each([false, true])("never shows a secret, however it is logged (for people: %s)", (people) => {
    const { log, text } = aLog({ people });
    const value = "hunter2";
    log.info({ anything: new Secret(value), deep: { inside: [new Secret(value)] } }, "secret objects");
    log.info({ password: value, token: value, authorization: value, headers: { "x-api-key": value } }, "at the top");
    log.info({ request: { password: value, token: value, authorization: value } }, "one level down");
    log.child({ token: value }).info("in a child");
    expect(text()).not.toContain(value);
    expect(text()).toContain("[secret]");
  });

  it("writes an error with its message, code and cause", () => {
    const { log, text } = aLog();
    const err = Object.assign(new Error("outer", { cause: new Error("inner") }), { code: "flink-rejected" });
    log.error({ err }, "failed");
    expect(text()).toContain("outer");
    expect(text()).toContain("inner");
    expect(text()).toContain("flink-rejected");
  });

  it("writes text for people on a terminal", () => {
    const { log, text } = aLog({ people: true });
    log.info({ job: "orders" }, "action done");
    expect(text()).toContain("action done");
    expect(text()).not.toContain('"msg"');
  });
});

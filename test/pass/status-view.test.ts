import { describe, expect, it } from "vitest";
import { formatStatusDocument, statusPath } from "../../src/model/status-document.ts";
import type { JobRecord } from "../../src/model/status.ts";
import { resourceKey } from "../../src/model/resource.ts";
import { buildStatusView } from "../../src/pass/status-view.ts";
import { aStartedRecord } from "./builders.ts";

const orders = aStartedRecord();
const payments = aStartedRecord({ id: { name: "payments" } });

function branchOf(head: string, ...records: readonly JobRecord[]) {
  const files = new Map(records.map((record) => [statusPath(record.id), formatStatusDocument(record)]));
  return { head: head.repeat(40), files, unreadable: new Map(), committedAtMs: 0 };
}

describe("the view of the status branch", () => {
  it("keeps the very record of a file that reads as before, and parses what was changed", () => {
    const before = buildStatusView(branchOf("a", orders, payments));
    const changed = { ...payments, status: { ...payments.status, attempt: 7 } };
    const after = buildStatusView(branchOf("b", orders, changed), before);
    expect(after.records.get(resourceKey(orders.id))).toBe(before.records.get(resourceKey(orders.id)));
    expect(after.records.get(resourceKey(payments.id))).toMatchObject({ status: { attempt: 7 } });
  });

  it("forgets the record of a file that is gone, and finds it unreadable when it became so", () => {
    const before = buildStatusView(branchOf("a", orders, payments));
    const files = new Map([[statusPath(orders.id), "kind: ["]]);
    const after = buildStatusView({ head: "b".repeat(40), files, unreadable: new Map(), committedAtMs: 0 }, before);
    expect([...after.records.keys()]).toEqual([]);
    expect([...after.unreadable.keys()]).toEqual([resourceKey(orders.id)]);
  });

  it.each([
    ["larger than any status", [], [["", "it is larger than 4.0 MB"]], "it is larger than 4.0 MB"],
    ["a link", [], [["", "it is a symlink"]], "it is a symlink"],
    ["a folder with a file", [["/a.yaml", "x"]], [], "it is a folder"],
    ["a folder with a link", [], [["/a/b", "it is a symlink"]], "it is a folder"],
  ])("never takes for no record what is %s", (_, files, unreadable, because) => {
    const path = statusPath(orders.id);
    const at = (entries: readonly (readonly string[])[]) => new Map(entries.map(([below, text]) => [path + below!, text!]));
    const view = buildStatusView({ head: "a".repeat(40), files: at(files), unreadable: at(unreadable), committedAtMs: 0 });
    expect([...view.unreadable]).toEqual([
      [
        resourceKey(orders.id),
        {
          file: path,
          line: 1,
          column: 1,
          message: `this cannot be read as a status: ${because}; restore the file from the branch's history`,
        },
      ],
    ]);
  });

  it("says again what is wrong with a file that stays unreadable", () => {
    const files = new Map([[statusPath(orders.id), "kind: ["]]);
    const before = buildStatusView({ head: "a".repeat(40), files, unreadable: new Map(), committedAtMs: 0 });
    const after = buildStatusView({ head: "b".repeat(40), files, unreadable: new Map(), committedAtMs: 0 }, before);
    expect(after.unreadable).toEqual(before.unreadable);
  });

  it("believes the files and not the memory of a branch that was set back", () => {
    const old = { ...orders, status: { ...orders.status, attempt: 1 } };
    const remembered = { ...orders, status: { ...orders.status, attempt: 9 } };
    const setBack = branchOf("a", old);
    const before = { ...buildStatusView(setBack), records: new Map([[resourceKey(orders.id), remembered]]), rewrite: true };
    expect(buildStatusView(setBack, before).records.get(resourceKey(orders.id))?.status).toMatchObject({ attempt: 1 });
  });
});

import type { JsonSchema } from "../common/schema-problems.ts";
import { KINDS } from "../model/resource.ts";
import { PLAN_ACTIONS, PLAN_VERSION } from "./plan.ts";

const text = { type: "string" };
const count = { type: "integer", minimum: 0 };
const change = { type: "integer" };
const commit = { type: "string", pattern: "^[0-9a-f]{40}$" };
const time = { type: "string", pattern: String.raw`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$` };

function object(required: JsonSchema, optional: JsonSchema = {}, description?: string): JsonSchema {
  return {
    type: "object",
    ...(description === undefined ? {} : { description }),
    required: Object.keys(required),
    properties: { ...required, ...optional },
  };
}

const list = (items: JsonSchema, description?: string): JsonSchema => ({
  type: "array",
  items,
  ...(description === undefined ? {} : { description }),
});

const RESTORE_POINT = {
  description: "The newest one, of Jobs that have run and that the plan changes.",
  oneOf: [
    object({ kind: { enum: ["Savepoint", "Checkpoint"] }, uri: text, takenAt: time, ageSeconds: count }),
    object({ kind: { const: "none" } }),
    object({ kind: { const: "unknown" }, because: text }),
  ],
};

const STEP = object(
  {
    kind: { enum: KINDS },
    zone: text,
    project: text,
    name: text,
    action: { enum: PLAN_ACTIONS },
    verdict: {
      enum: ["now", "under-way", "waits", "held", "none"],
      description:
        "now: begins at once; under-way: announced before; waits: begins by itself when what is missing is there; held: a person has to act; none: nothing is done.",
    },
    because: text,
    notes: list(text),
  },
  {
    reason: { ...text, description: "The reason of the condition that says so." },
    rpus: object({}, { from: count, to: count }),
    slots: object({ needed: change, freeNow: count, freeAfter: count }, { cluster: text }),
    state: { ...text, description: "What becomes of the job's state." },
    interruption: object({ kind: { enum: ["none", "brief", "until-resumed", "for-good"] }, text }, { seconds: count }),
    restorePoint: RESTORE_POINT,
    at: object({ file: text, line: count }),
  },
);

const MERGE = {
  oneOf: [
    object({ kind: { const: "merged" }, mergeBase: commit }),
    object({ kind: { const: "conflict" }, files: list(text) }),
    object({ kind: { const: "head-alone" }, because: text }),
  ],
};

/** What `plan --output json` and the files of the previews' branch hold. Fields may be added; one that goes or changes makes it version 2. */
export const PLAN_SCHEMA: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "A plan of Penstock",
  ...object(
    {
      version: { const: PLAN_VERSION },
      instance: text,
      subject: {
        oneOf: [
          object({ kind: { enum: ["branch", "ref"] }, name: text, commit }),
          object({ kind: { const: "folder" }, name: text }),
          object({ kind: { const: "request" }, name: text, base: commit, head: commit, merge: MERGE }),
        ],
      },
      plannedAt: time,
      summary: text,
      notices: list(text, "What to know before the rest is believed."),
      problems: list(object({ file: text, line: count, column: count, message: text })),
      guard: list(object({ reason: text, because: text }), "Why deletions are held."),
      quotas: list(object({ zone: text, project: text, maxRpus: count, usedNow: count, usedAfter: count, waiting: list(text) })),
      clusters: list(
        object(
          { zone: text, name: text },
          {
            flinkVersion: text,
            slots: object({ total: count, freeNow: count, freeAfter: count }),
            unreachable: { ...text, description: "Why it cannot be seen; then nothing of it is known." },
          },
        ),
      ),
      steps: list(STEP, "What changes first, then what stays."),
    },
    { appliedCommit: { ...text, description: "The newest commit that the status speaks of." } },
  ),
};

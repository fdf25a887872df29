import { didYouMean } from "../common/suggest.ts";
import { oneLine } from "../common/text.ts";
import type { Kind } from "./resource.ts";

const PREFIX = "penstock/";

/** Our own annotations, all of them for Jobs: what each one's value must be. */
export const ANNOTATIONS = {
  "penstock/paused": { pattern: /^(?:true|false)$/, expected: "must be true or false" },
  "penstock/restore-from": {
    pattern: /^[0-9a-f]{32}=[a-z][a-z0-9+.-]*:\/[^\s@]+$/,
    expected:
      "must be <flink job id>=<uri>: the 32 hex digits that the status shows, and the checkpoint or savepoint to start from",
  },
  "penstock/start-empty": {
    pattern: /^(?:[0-9a-f]{32}|new)$/,
    expected: "must be the flink job id that the status shows, or new for a Job that was renamed",
  },
} as const;
export type AnnotationName = keyof typeof ANNOTATIONS;

export interface AnnotationProblem {
  readonly name: string;
  readonly at: "key" | "value";
  readonly message: string;
}

/** What is wrong with the annotations that are meant for us; all others are free. */
export function checkAnnotations(kind: Kind, annotations: Readonly<Record<string, string>>): readonly AnnotationProblem[] {
  return Object.entries(annotations)
    .filter(([name]) => name.toLowerCase().startsWith(PREFIX))
    .map(([name, value]) => checkAnnotation(kind, name, value))
    .filter((problem) => problem !== undefined);
}

function checkAnnotation(kind: Kind, name: string, value: string): AnnotationProblem | undefined {
  if (!isAnnotation(name)) {
    const known = Object.keys(ANNOTATIONS);
    const suggestion = didYouMean(name, known) || `; those that Penstock knows are ${known.join(", ")}`;
    return { name, at: "key", message: `unknown annotation ${oneLine(name, 80)}${suggestion}` };
  }
  if (kind !== "Job")
    return { name, at: "key", message: `the annotation ${name} has a meaning for Jobs only, not for a ${kind}; remove it` };
  const { pattern, expected } = ANNOTATIONS[name];
  if (pattern.test(value)) return undefined;
  return { name, at: "value", message: `the annotation ${name} ${expected}, found ${JSON.stringify(oneLine(value, 80))}` };
}

function isAnnotation(name: string): name is AnnotationName {
  return Object.hasOwn(ANNOTATIONS, name);
}

import type { FlinkVersion } from "../manifest.ts";
import type { OptionType } from "../option-values.ts";

/** A Flink option that a Job may set. */
export interface FlinkOption {
  /** The newest name. */
  readonly name: string;
  /** The names it had before, the oldest first, each with the first version that no longer calls it so. */
  readonly formerly?: readonly { readonly name: string; readonly until: FlinkVersion }[];
  /** More names that were already old in 1.16; people still write them, and none is ever sent. */
  readonly aliases?: readonly string[];
  /** The first version that knows it under any name; 1.16 when not given. */
  readonly since?: FlinkVersion;
  /** The first version in which a job's own value counts; before, Flink reads the option from the cluster's configuration only. */
  readonly countsSince?: FlinkVersion;
  /** The first version that does not know it any more. */
  readonly until?: FlinkVersion;
  readonly type: OptionType;
  /** A plain number of milliseconds before this version. */
  readonly numberBefore?: FlinkVersion;
  readonly description: string;
}

type More = Omit<FlinkOption, "name" | "type" | "description">;

export function option(name: string, type: OptionType, description: string, more: More = {}): FlinkOption {
  return { name, type, description, ...more };
}

const MAX_INT = 2_147_483_647;

export const duration: OptionType = { kind: "duration" };
export const memory: OptionType = { kind: "memory" };
export const boolean: OptionType = { kind: "boolean" };
export const positive: OptionType = { kind: "integer", minimum: 1, maximum: MAX_INT };
export const count: OptionType = { kind: "integer", minimum: 0, maximum: MAX_INT };
export const ratio: OptionType = { kind: "number", minimum: 0, maximum: 1 };
export const text: OptionType = { kind: "text" };
export const list: OptionType = { kind: "list" };
export const map: OptionType = { kind: "map" };

export const oneOf = (...values: readonly string[]): OptionType => ({ kind: "enum", values });
export const listOf = (...values: readonly string[]): OptionType => ({ kind: "list", values });
export const atLeast = (minimumMs: number): OptionType => ({ kind: "duration", minimumMs });
export const integer = (minimum: number, maximum = MAX_INT): OptionType => ({ kind: "integer", minimum, maximum });
/** A whole number that means so many of something. */
export const numberOf = (unit: string): OptionType => ({ kind: "integer", minimum: 1, maximum: MAX_INT, unit });
/** A number that needs more than 32 bits. */
export const long = (minimum: number): OptionType => ({ kind: "integer", minimum, maximum: Number.MAX_SAFE_INTEGER });

/** Where something stands in a text file; `line` and `column` count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something that a person wrote and has to change. `message` says what is wrong and what to do, in one line. */
export interface Problem extends Position {
  readonly message: string;
}

/** Stable order for people: by file, then by place, then by text. Returns a new array without exact repetitions. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const sorted = [...problems].sort(
    (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column || compareText(a.message, b.message),
  );
  return sorted.filter((problem, index) => index === 0 || formatProblem(problem) !== formatProblem(sorted[index - 1]!));
}

/** `orders.yaml:12:11 rpus must be a whole number of at least 0, found "four"`. */
export function formatProblem(problem: Problem): string {
  return `${formatPosition(problem)} ${problem.message}`;
}

/** `orders.yaml:12:11`. */
export function formatPosition(position: Position): string {
  return `${position.file}:${position.line}:${position.column}`;
}

/** Compares by code units: the same order on every machine, unlike a locale's. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

import { oneLine } from "../common/text.ts";

/** Why Flink refused, as far as its text tells. Its status does not: a typo in a class name is a 500, a lost savepoint a 400. */
export type RejectionKind =
  | "entry-class-not-found"
  | "no-main"
  | "main-threw"
  | "duplicate-job"
  | "no-jobs"
  | "bad-option"
  | "jar-missing"
  | "bad-request"
  | "not-a-jar"
  | "savepoint-missing"
  | "not-enough-slots"
  | "state-does-not-fit"
  | "other";

export interface RootCause {
  readonly kind: RejectionKind;
  /** For people, without Java's stack and package names. */
  readonly line: string;
}

/** A throwable of a Java stack trace: `java.lang.IllegalStateException: boom` gives class and message. */
interface Throwable {
  readonly className: string;
  readonly message: string;
}

/** First match, tried on every message of the chain; on messages only, so that a stack frame can never match. */
const RULES: readonly (readonly [RejectionKind, RegExp])[] = [
  ["duplicate-job", /^(?:Job|Application) has already been submitted\.?$/],
  ["entry-class-not-found", /program's entry point class '[^']*' was not found in the jar file/],
  ["entry-class-not-found", /[Nn]either a 'Main-Class', nor a 'program-class' entry was found/],
  ["no-main", /does not have a main\(String\[\]\) method|has no main\(String\[\]\) method/],
  ["no-main", /declares a non-static main method|program class must be public/],
  ["not-a-jar", /Error while opening jar file|Only Jar files are allowed/],
  ["jar-missing", /Jar file .* does not exist/],
  ["no-jobs", /No jobs included in application/],
  ["savepoint-missing", /Cannot find (?:checkpoint or savepoint|meta data) file/],
  ["state-does-not-fit", /Cannot map checkpoint\/savepoint state for operator|There is no operator for the state/],
  [
    "state-does-not-fit",
    /Max parallelism mismatch|[Nn]ew (?:key|state|namespace) serializer .*must(?: not)? be (?:compatible|incompatible)/,
  ],
  ["not-enough-slots", /Could not acquire the minimum required resources|Slot request bulk is not fulfillable/],
  ["bad-option", /Could not parse value '.*' for key '/],
  ["bad-option", /parallelism \(\d+\) is higher than the max parallelism/],
  ["bad-request", /Request did not match expected format/],
  ["other", /Failed to create savepoint directory/],
];

/**
 * Flink's error texts (3 to 10 kB of stack traces, in one string or two) as one line and what kind of trouble it is. Pure; never
 * empty, never longer than 500 characters.
 */
export function readRootCause(errors: readonly string[]): RootCause {
  const chain = errors.flatMap((text) => throwablesOf(text));
  for (const [kind, pattern] of RULES) {
    const found = chain.find(({ message }) => pattern.test(message));
    if (found !== undefined) return { kind, line: lineOf(kind === "bad-request" ? withInnermost(found, chain) : found.message) };
  }
  const main = chain.find(({ message }) => message.startsWith(MAIN_CAUSED));
  if (main !== undefined) return { kind: "main-threw", line: `main() failed: ${lineOf(withInnermost(main, chain))}` };
  const innermost = chain.findLast(({ message }) => message !== "") ?? chain.at(-1);
  return { kind: "other", line: innermost === undefined ? NO_REASON : lineOf(describe(innermost)) };
}

const NO_REASON = "no reason given";
const MAIN_CAUSED = "The main method caused an error: ";

function withInnermost(found: Throwable, chain: readonly Throwable[]): string {
  const innermost = chain.at(-1);
  if (innermost === undefined || innermost.message === "" || found.message.includes(innermost.message)) return found.message;
  return `${found.message} (${describe(innermost)})`;
}

/** Whose message says it all; the REST layer's own wrappers. */
const SILENT = new Set([
  "RestHandlerException",
  "NotFoundException",
  "FlinkJobNotFoundException",
  "CompletionException",
  "FlinkException",
]);

function describe({ className, message }: Throwable): string {
  const simple = className.split(/[.$]/).at(-1) ?? "";
  if (message === "") return simple;
  return simple === "" || SILENT.has(simple) ? message : `${simple}: ${message}`;
}

/** A program says what it likes in its exceptions, megabytes of it: whatever looks at more of a text would hold up everything else. */
const MAX_TEXT = 200_000;
const MAX_MESSAGE = 4000;
const CAUSED_BY = "Caused by: ";
const FRAME = /^(?:at [\w$.<>/@]+\(|\.\.\. \d+ more|Suppressed: )/;

/** The throwables of a printed stack trace, outermost first. Messages may have several lines; a text without any class is one message. */
function throwablesOf(text: string): readonly Throwable[] {
  const whole = shorten(text)
    .replace(/^<Exception on server side:\n/, "")
    .replace(/\n?End of exception on server side>$/, "");
  const heads: { text: string; isOver: boolean }[] = [{ text: "", isOver: false }];
  for (const line of whole.split("\n")) {
    const trimmed = line.trimStart();
    const head = heads.at(-1)!; // there is one from the beginning
    if (trimmed.startsWith(CAUSED_BY)) heads.push({ text: trimmed.slice(CAUSED_BY.length), isOver: false });
    else if (FRAME.test(trimmed)) head.isOver = true;
    else if (!head.isOver && head.text.length < MAX_MESSAGE) head.text += `\n${line}`;
  }
  return heads
    .map((head) => head.text.slice(0, MAX_MESSAGE).trim())
    .filter((head) => head !== "" && head !== "Internal server error.")
    .map(throwableOf);
}

/** The outermost words are at the beginning, the cause of it all at the end. */
function shorten(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT / 2)}\n${text.slice(-MAX_TEXT / 2)}`;
}

/** Strips every leading class name: Flink repeats them (`CompletionException: …FlinkException: text`). */
function throwableOf(head: string): Throwable {
  let className = "";
  let message = head;
  for (;;) {
    const match = /^((?:[a-z_][\w]*\.)+[A-Z][\w$]*)(?:: ?|$)/.exec(message);
    if (match === null) return { className, message };
    className = match[1]!;
    message = message.slice(match[0].length);
  }
}

/** Without package names of exceptions, and without the frame that Flink puts around what main() did or could not do. */
function lineOf(text: string): string {
  const said = text.startsWith(MAIN_CAUSED) ? text.slice(MAIN_CAUSED.length) : text;
  return oneLine(said.replaceAll(/\b(?:[a-z_]\w*\.){2,}(?=[A-Z]\w*(?:Exception|Error)\b)/g, ""), 500) || NO_REASON;
}

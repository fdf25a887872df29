import { oneLine } from "../common/text.ts";

/**
 * `${secret:NAME}` in an argument or an option stands for a secret that is put in when the job is submitted, and only there.
 * `$${secret:` is the text `${secret:` itself.
 */
const REFERENCE = /\$\$\{secret:|\$\{secret:([^}]*)(\}?)/g;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/;

/** Undefined for the escape. */
function nameOf([, name, end]: readonly (string | undefined)[]):
  | { readonly name: string; readonly isRight: boolean }
  | undefined {
  return name === undefined ? undefined : { name, isRight: end === "}" && NAME.test(name) };
}

/** Whether the text stands for anything but itself. */
export function mentionsSecret(text: string): boolean {
  return [...text.matchAll(REFERENCE)].some((match) => nameOf(match) !== undefined);
}

/** Each name once, in the order in which they are written; those that are none are left out. */
export function secretNames(texts: readonly string[]): readonly string[] {
  const found = texts.flatMap((text) => [...text.matchAll(REFERENCE)].map(nameOf));
  return [...new Set(found.flatMap((one) => (one?.isRight === true ? [one.name] : [])))];
}

/** What is wrong with the first reference that cannot be read, as the end of a sentence; undefined when nothing is. */
export function secretProblem(text: string): string | undefined {
  const wrong = [...text.matchAll(REFERENCE)].find((match) => nameOf(match)?.isRight === false);
  if (wrong === undefined) return undefined;
  const shown = JSON.stringify(oneLine(wrong[0], 60));
  return `must name a secret as \${secret:NAME}, of letters, digits, _, - and . that begins with none of - and ., found ${shown}; write $\${secret: for that text itself`;
}

/** With the secrets in their places. One that `values` lacks stays as it is written. */
export function fillSecrets(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(REFERENCE, (...match: (string | undefined)[]) => {
    const reference = nameOf(match);
    if (reference === undefined) return "${secret:";
    return (reference.isRight ? values.get(reference.name) : undefined) ?? match[0]!;
  });
}

/**
 * The text with signs of no meaning in the places of its secrets, and how to put those in later: a secret may hold what separates the
 * items of a list.
 */
export function maskSecrets(
  text: string,
  values: ReadonlyMap<string, string>,
): { readonly masked: string; readonly unmask: (part: string) => string } {
  const hidden: string[] = [];
  const masked = text.replaceAll(REFERENCE, (whole) => `\uE000${hidden.push(fillSecrets(whole, values)) - 1}\uE001`);
  return {
    masked,
    unmask: (part) => part.replaceAll(/\uE000(\d+)\uE001/g, (whole, index: string) => hidden[Number(index)] ?? whole),
  };
}

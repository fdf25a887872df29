import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import { isFileUri, isMissing, pathOf } from "./file-folders.ts";
import { untilAborted } from "./folders.ts";

export type Writable =
  | { readonly kind: "yes" }
  /** Nobody can write there, Flink included. */
  | { readonly kind: "no"; readonly because: string }
  /** Flink may be able to: it runs elsewhere, as another user, or the place cannot be seen from here. */
  | { readonly kind: "cannot-tell"; readonly because: string };

const TIMEOUT_MS = 5000;
/** The folder of a trigger is made in that of a job, and that one in the savepoints' directory, which may itself be missing in its parent. */
const LEVELS = 4;

/**
 * Whether Flink can write savepoints into a directory, as far as it can be told from here: the directory, or the nearest one around it that
 * is there. Writes nothing. Never throws.
 */
export async function canWrite(dirUri: string): Promise<Writable> {
  const what = oneLine(dirUri, 200);
  if (!isFileUri(dirUri)) return cannotTell(`${what} is not a file:// directory: only Flink itself can tell`);
  try {
    return await untilAborted(lookAround(pathOf(dirUri), what), AbortSignal.timeout(TIMEOUT_MS));
  } catch (error) {
    return cannotTell(`${what} cannot be looked at: ${oneLine(messageOf(error), 200)}`);
  }
}

async function lookAround(path: string, what: string): Promise<Writable> {
  let place = path;
  for (let level = 0; level < LEVELS && dirname(place) !== place; level += 1) {
    const found = await statOf(place);
    if (found !== undefined) return judge(place, found, what);
    place = dirname(place);
  }
  // What every machine has, such as the root, says nothing of a place below it.
  return cannotTell(`${what} is not there as seen from here; is it mounted?`);
}

async function judge(
  place: string,
  found: { readonly mode: number; readonly isFolder: boolean },
  what: string,
): Promise<Writable> {
  if (!found.isFolder) return { kind: "no", because: `${what} cannot be a directory: ${oneLine(place, 200)} is none` };
  if ((found.mode & 0o222) === 0) return { kind: "no", because: `nobody has the right to write into ${oneLine(place, 200)}` };
  try {
    await access(place, constants.W_OK | constants.X_OK);
    return { kind: "yes" };
  } catch (error) {
    // A mount that is read-only for us, or another user: Flink need not be the same.
    return cannotTell(`we must not write into ${oneLine(place, 200)}: ${oneLine(messageOf(error), 200)}`);
  }
}

async function statOf(path: string): Promise<{ readonly mode: number; readonly isFolder: boolean } | undefined> {
  try {
    const found = await stat(path);
    return { mode: found.mode, isFolder: found.isDirectory() };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function cannotTell(because: string): Writable {
  return { kind: "cannot-tell", because };
}

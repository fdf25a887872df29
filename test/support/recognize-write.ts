import { WRITING_CALLS, type FlinkWrite, type GitWrite, type WritingCall } from "../../src/common/writing-calls.ts";

const FLINK = Object.entries(WRITING_CALLS).flatMap(([name, call]) =>
  call.to === "flink" ? [{ name: name as FlinkWrite, method: call.method, pattern: patternOf(call.path) }] : [],
);

/** Which call of the list a request is, seen from outside; undefined for a question. Throws for what changes something and is not listed. */
export function recognizeFlinkWrite(method: string, pathAndQuery: string): FlinkWrite | undefined {
  if (method === "GET") return undefined;
  const found = FLINK.find((one) => one.method === method && one.pattern.test(pathAndQuery));
  if (found === undefined) throw new Error(`${method} ${pathAndQuery} is in no list of writing calls`);
  return found.name;
}

/** The same for Git's server; the first line of a push names the branch. */
export function recognizePush(
  method: string,
  path: string,
  body: Buffer,
  branches: Readonly<Record<GitWrite, string>>,
): GitWrite | undefined {
  if (method !== "POST" || !path.endsWith("/git-receive-pack")) return undefined;
  const ref = /refs\/heads\/[^\0]+/.exec(body.toString("latin1", 0, 400))?.[0];
  for (const [name, branch] of Object.entries(branches)) if (ref === `refs/heads/${branch}`) return name as GitWrite;
  throw new Error(`a push to ${ref ?? "nowhere"} is in no list of writing calls`);
}

/** The same for a forge that speaks as GitHub does. */
export function recognizeForgeWrite(method: string, path: string): WritingCall | undefined {
  if (method === "GET") return undefined;
  if (method === "POST" && /\/issues\/\d+\/comments$/.test(path)) return "create-comment";
  if (method === "PATCH" && /\/issues\/comments\/\d+$/.test(path)) return "update-comment";
  if (method === "POST" && /\/statuses\/[0-9a-f]+$/.test(path)) return "set-commit-status";
  throw new Error(`${method} ${path} is in no list of writing calls`);
}

function patternOf(path: string): RegExp {
  const [before = "", after = ""] = path.split(":id").map((part) => part.replaceAll("?", "\\?"));
  return new RegExp(`^${before}${path.includes(":id") ? "[^/?]+" : ""}${after}$`);
}

import { isDeepStrictEqual } from "node:util";
import type { Problem } from "../common/problem.ts";
import { checkRemoteUrl, isLoopback } from "../common/remote-url.ts";
import { fieldName } from "../common/schema-problems.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration, parseDurationMs, parseSizeBytes } from "../common/units.ts";
import type { YamlDocument, YamlPath } from "../common/yaml-file.ts";
import { branchesCollide, branchNameProblem, PREVIEWS_BRANCH } from "./branch-name.ts";
import { CONFIG_SCHEMA, IDLE_OPTIONS } from "./config-schema.ts";
import { isMapping, type OptionPattern, type WrittenOption, writtenOptions } from "./schema-value.ts";

/**
 * What the schema cannot say: the rules of single texts and those between options. Looks at whatever is written, also where the schema
 * has found something, so that all problems come at once; what has another type than the schema wants is passed over.
 */
export function checkOptions(document: YamlDocument): readonly Problem[] {
  const options = writtenOptions(CONFIG_SCHEMA, document.value);
  const problems: Problem[] = [];
  const report: Report = (path, message) => problems.push({ ...document.at(path), message: `${fieldName(path)} ${message}` });
  for (const option of options) {
    if (typeof option.value === "string") {
      const message = textProblem(option, option.value, document.value);
      if (message !== undefined) report(option.path, message);
    }
    if (isMapping(option.value)) checkGroup(option, option.value, report);
  }
  checkBranches(document.value, report);
  checkForge(document.value, report);
  checkClusterUrls(options, report);
  checkServer(document.value, report);
  return problems;
}

/** One line for each option that is written and that this version does not act on yet. */
export function idleOptionNotices(document: YamlDocument): readonly Problem[] {
  return writtenOptions(CONFIG_SCHEMA, document.value).flatMap(({ pattern, path, value }) => {
    const idle = IDLE_OPTIONS.get(pattern);
    if (idle === undefined || (idle.harmless !== undefined && isDeepStrictEqual(idle.harmless, value))) return [];
    return [{ ...document.atKey(path), message: `${fieldName(path)} is accepted but not yet acted on: ${idle.today}` }];
  });
}

type Report = (path: YamlPath, message: string) => void;

const MIN_DURATION_MS = 100;
/** Timers of Node end at 24 days and then fire at once; nobody needs a poll that comes once a day. */
const MAX_DURATION_MS = 24 * 60 * 60 * 1000;

/** What is wrong with one text, as the end of a sentence that begins with the option. Never repeats the text. */
function textProblem(option: WrittenOption, text: string, root: unknown): string | undefined {
  if (text === "") return undefined; // the schema's matter
  const rule = TEXT_RULES.get(option.pattern) ?? TEXT_RULES.get(option.pattern.split(".").at(-1)!);
  return rule?.(text, root);
}

type TextRule = (text: string, root: unknown) => string | undefined;

/** By the option's pattern, or by its last part when that means the same everywhere. */
const TEXT_RULES: ReadonlyMap<OptionPattern, TextRule> = new Map<OptionPattern, TextRule>([
  ["repository.url", repositoryUrlProblem],
  ["repository.branch", branchNameProblem],
  ["status.branch", branchNameProblem],
  ["forge.url", (text, root) => httpUrlProblem(text) ?? repositoryUrlProblem(text, root)],
  ["repository.paths[]", pathPatternProblem],
  ["status.author.name", identityProblem],
  ["status.author.email", identityProblem],
  ["repository.maxBlobSize", sizeProblem],
  ["repository.maxPackSize", sizeProblem],
  ["artifacts.maxSize", sizeProblem],
  ["artifacts.cacheSize", sizeProblem],
  ["pollInterval", durationProblem],
  ["timeout", durationProblem],
  ["deleteTimeout", durationProblem],
  ["url", httpUrlProblem],
  ["endpoint", httpUrlProblem],
  ["username", usernameProblem],
  ["checkpointsDir", directoryProblem],
  ["savepointsDir", directoryProblem],
  ["server.host", hostProblem],
]);

function repositoryUrlProblem(text: string, root: unknown): string | undefined {
  const allowPlainHttp = memberAt(root, ["repository", "allowPlainHttp"]) === true;
  const checked = checkRemoteUrl(text, { allowPlainHttp });
  return "problem" in checked ? `cannot be used: ${checked.problem}` : undefined;
}

function httpUrlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || !/^https?:\/\//i.test(text)) {
    return "must be an http:// or https:// address";
  }
  if (url.username !== "" || url.password !== "") {
    return "must not hold credentials; give them by a file or a variable, in the options for them beside this one";
  }
  if (url.search !== "" || url.hash !== "") return "must not have a query or a fragment";
  return undefined;
}

function pathPatternProblem(text: string): string | undefined {
  if (text.includes("\\")) return "must be written with forward slashes";
  if (text.startsWith("/")) return "must be relative to the root of the repository; leave the leading slash out";
  if (text.split("/").some((part) => part === ".." || part === ".")) return "must not hold . or .. as a part";
  return undefined;
}

function identityProblem(text: string): string | undefined {
  return /[\p{Cc}<>]/u.test(text) || text.trim() === "" ? "must be one line without < and >" : undefined;
}

function durationProblem(text: string): string | undefined {
  const duration = parseDurationMs(text);
  if (duration === undefined || (duration >= MIN_DURATION_MS && duration <= MAX_DURATION_MS)) return undefined;
  return `must be from ${formatDuration(MIN_DURATION_MS)} to ${formatDuration(MAX_DURATION_MS)}`;
}

function sizeProblem(text: string): string | undefined {
  return parseSizeBytes(text) === 0 ? "must be more than nothing" : undefined;
}

function usernameProblem(text: string): string | undefined {
  return /[\p{Cc}:]/u.test(text)
    ? "must not hold a colon or control characters: HTTP basic authentication cannot carry them"
    : undefined;
}

function directoryProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^[a-z][a-z0-9+.-]*:\/./i.test(text)) {
    return "must be an address with its scheme, such as s3://streams/checkpoints or file:///var/flink/checkpoints";
  }
  return url.username !== "" || url.password !== "" ? "must not hold credentials" : undefined;
}

function hostProblem(text: string): string | undefined {
  if (/^(?:[\w.-]+|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?)$/i.test(text)) return undefined;
  return "must be an address or a host name alone, such as 127.0.0.1, :: or penstock.internal; the port has an option of its own";
}

/** Between the members of one group. */
function checkGroup({ pattern, path, schema }: WrittenOption, group: Readonly<Record<string, unknown>>, report: Report): void {
  if (!("oneOf" in schema)) {
    for (const key of Object.keys(group).filter((member) => member.endsWith("File"))) {
      const other = key.replace(/File$/, "Env");
      if (Object.hasOwn(group, other)) report([...path, other], `cannot stand beside ${key}; keep one of the two`);
    }
  }
  if (pattern === "zones.*.clusters.*" || pattern === "artifacts.hosts.*") checkAuthorization(path, group, report);
  if (pattern.endsWith(".headers")) checkHeaders(path, group, report);
  if (pattern.endsWith(".s3")) checkAccessKey(path, group, report);
}

/** One half of an access key is none. */
function checkAccessKey(path: YamlPath, s3: Readonly<Record<string, unknown>>, report: Report): void {
  const writtenFor = (option: string): string | undefined =>
    [`${option}File`, `${option}Env`].find((key) => Object.hasOwn(s3, key));
  const [id, secret] = [writtenFor("accessKeyId"), writtenFor("secretAccessKey")];
  if (id !== undefined && secret === undefined)
    report([...path, id], "needs secretAccessKeyFile or secretAccessKeyEnv beside it");
  if (secret !== undefined && id === undefined) report([...path, secret], "needs accessKeyIdFile or accessKeyIdEnv beside it");
}

/** All of them end up in one header. */
function checkAuthorization(path: YamlPath, server: Readonly<Record<string, unknown>>, report: Report): void {
  const headers = isMapping(server["headers"]) ? Object.keys(server["headers"]) : [];
  const header = headers.find((name) => name.toLowerCase() === "authorization");
  const bearer = ["bearerFile", "bearerEnv"].find((key) => Object.hasOwn(server, key));
  const written: YamlPath[] = [];
  if (Object.hasOwn(server, "basic")) written.push(["basic"]);
  if (bearer !== undefined) written.push([bearer]);
  if (header !== undefined) written.push(["headers", header]);
  for (const extra of written.slice(1)) {
    report(
      [...path, ...extra],
      `cannot stand beside ${fieldName(written[0]!)}: both set the header Authorization; keep one of the two`,
    );
  }
}

/** They belong to the connection or to the message, so whoever sends it sets them. */
const RESERVED_HEADERS = new Set(
  "connection content-length content-type expect host keep-alive te trailer transfer-encoding upgrade".split(" "),
);

function checkHeaders(path: YamlPath, headers: Readonly<Record<string, unknown>>, report: Report): void {
  const seen = new Map<string, string>();
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    const other = seen.get(lower);
    if (other !== undefined) report([...path, name], `is the same header as ${other}; keep one of the two`);
    if (RESERVED_HEADERS.has(lower)) report([...path, name], "is set by the daemon itself; leave it out");
    seen.set(lower, name);
  }
}

function checkForge(root: unknown, report: Report): void {
  const kind = memberAt(root, ["forge", "kind"]);
  if (kind === "gitea" && memberAt(root, ["forge", "url"]) === undefined)
    report(["forge"], "needs the url of the Gitea server, such as https://gitea.example.com");
  const repository = memberAt(root, ["forge", "repository"]);
  if (typeof repository !== "string" || repository === "") return;
  const parts = repository.split("/");
  const isPlain = parts.length >= 2 && parts.every((part) => /^[\w.-]+$/.test(part) && !/^\.+$/.test(part));
  if (!isPlain || (kind !== "gitlab" && parts.length !== 2))
    report(["forge", "repository"], "must be owner/name, as it stands in the address of the repository's page");
}

function checkBranches(root: unknown, report: Report): void {
  const branch = memberAt(root, ["repository", "branch"]) ?? CONFIG_SCHEMA.properties.repository.properties.branch.default;
  const statusBranch = memberAt(root, ["status", "branch"]) ?? CONFIG_SCHEMA.properties.status.properties.branch.default;
  for (const [option, name] of [
    ["repository", branch],
    ["status", statusBranch],
  ] as const) {
    if (typeof name !== "string" || !branchesCollide(name, PREVIEWS_BRANCH)) continue;
    report(
      [option, "branch"],
      `collides with ${PREVIEWS_BRANCH}, where the plans of pull requests are written; take another name`,
    );
  }
  if (typeof branch !== "string" || typeof statusBranch !== "string" || !branchesCollide(branch, statusBranch)) return;
  const written = memberAt(root, ["status", "branch"]) === undefined ? ["repository", "branch"] : ["status", "branch"];
  const why =
    branch === statusBranch
      ? "the status would be written among the manifests"
      : "Git cannot keep a branch and another one below its name";
  const names = `repository.branch is ${oneLine(branch, 80)} and status.branch is ${oneLine(statusBranch, 80)}`;
  report(written, `collides: ${names}, and ${why}; rename one of them`);
}

/** What runs on the clusters is nobody's business who merely reaches the port. */
function checkServer(root: unknown, report: Report): void {
  const host = memberAt(root, ["server", "host"]);
  if (typeof host !== "string" || hostProblem(host) !== undefined || host === "::1" || isLoopback(host)) return;
  if (memberAt(root, ["server", "enabled"]) === false || memberAt(root, ["server", "tokensFile"]) !== undefined) return;
  report(
    ["server", "host"],
    `is an address that other machines may reach, so the API and the metrics need tokens: name a file of them in server.tokensFile ` +
      "(one a line, as `openssl rand -hex 24` makes them), or listen on 127.0.0.1",
  );
}

/** One cluster under two names would get every job's intent twice. */
function checkClusterUrls(options: readonly WrittenOption[], report: Report): void {
  const seen = new Map<string, YamlPath>();
  for (const { pattern, path, value } of options) {
    if (pattern !== "zones.*.clusters.*.url" || typeof value !== "string") continue;
    const url = URL.parse(value);
    if (url === null) continue;
    const address = `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
    const other = seen.get(address);
    if (other !== undefined) report(path, `is the same cluster as ${fieldName(other.slice(0, -1))}; keep one of the two`);
    else seen.set(address, path);
  }
}

function memberAt(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (!isMapping(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

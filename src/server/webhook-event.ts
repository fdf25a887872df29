import { oneLine } from "../common/text.ts";
import type { Config } from "../config/config.ts";
import { textOf, type Forge, type Headers } from "./webhook-signature.ts";

export type WebhookDecision =
  /** Git is asked at once: for the branch, or for the open requests. */
  | { readonly kind: "wake"; readonly about: "branch" | "requests"; readonly because: string }
  | { readonly kind: "ignored"; readonly because: string }
  /** The sender is who it says, and what it sends makes no sense. */
  | { readonly kind: "unreadable"; readonly because: string };

export interface Delivery {
  readonly forge: Forge;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

type Fields = Readonly<Record<string, unknown>>;
type Followed = Pick<Config, "repository" | "status">;

/**
 * What a proven delivery is about. Nothing of it is believed further than that there is reason to ask Git, so one that comes twice, late
 * or out of order does no harm. What is not said counts as meant for us: a needless question is cheaper than a missed push. Pure.
 */
export function decideWebhook({ forge, headers, body }: Delivery, followed: Followed): WebhookDecision {
  const payload = parsePayload(body, textOf(headers["content-type"]) ?? "");
  if (payload === undefined) return { kind: "unreadable", because: "the body is no JSON object" };
  const event = eventOf(forge, headers, payload);
  if (event === "other") return ignored("this is neither about a push nor about a pull request");
  const repository = repositoryOf(payload);
  if (repository !== undefined && !isFollowed(repository, followed.repository.url))
    return ignored(`this is about the repository ${oneLine(repository, 200)}, which is not the one that is followed`);
  if (event === "request") return { kind: "wake", about: "requests", because: "open requests are looked at" };
  return decidePush(payload, followed);
}

function decidePush(payload: Fields, { repository, status }: Followed): WebhookDecision {
  const ref = payload["ref"];
  if (typeof ref !== "string") return wakeFor(repository.branch);
  if (ref === `refs/heads/${status.branch}`) return ignored(`${status.branch} is the branch that the daemon itself writes`);
  if (ref !== `refs/heads/${repository.branch}` && ref !== repository.branch)
    return ignored(`this is about ${oneLine(ref, 200)}, and ${repository.branch} is followed`);
  if (isAllOurs(payload["commits"], status.author)) return ignored("these are the daemon's own commits");
  return wakeFor(repository.branch);
}

function wakeFor(branch: string): WebhookDecision {
  return { kind: "wake", about: "branch", because: `Git is asked where ${branch} stands` };
}

function ignored(because: string): WebhookDecision {
  return { kind: "ignored", because };
}

/** GitHub and Gitea send a form unless they are told otherwise, with the JSON in one of its fields. An empty body says nothing. */
function parsePayload(body: Uint8Array, contentType: string): Fields | undefined {
  const text = new TextDecoder().decode(body);
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(contentType);
  const json = isForm ? (new URLSearchParams(text).get("payload") ?? "") : text;
  if (json.trim() === "") return isForm && text !== "" ? undefined : {};
  try {
    const value: unknown = JSON.parse(json);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined; // where it is wrong interests nobody: forges send JSON
  }
}

const PUSH_EVENTS: ReadonlySet<string> = new Set(["push", "Push Hook", "create", "delete"]);
const REQUEST_EVENTS: ReadonlySet<string> = new Set(["pull_request", "Merge Request Hook"]);

function eventOf(forge: Forge, headers: Headers, payload: Fields): "push" | "request" | "other" {
  if (forge === "generic") return "push";
  const header = textOf(headers[`x-${forge}-event`]);
  // A system hook of GitLab is called so whatever it is about; the body knows.
  const kind = header === "System Hook" ? payload["object_kind"] : header;
  if (kind === "merge_request") return "request";
  if (typeof kind !== "string") return "other";
  if (PUSH_EVENTS.has(kind)) return "push";
  return REQUEST_EVENTS.has(kind) ? "request" : "other";
}

/** `org/name`, however the forge calls it; a generic sender may give an address. */
function repositoryOf(payload: Fields): string | undefined {
  const { repository, project } = payload;
  if (typeof repository === "string") return repository;
  const names = [
    isFields(project) ? project["path_with_namespace"] : undefined,
    isFields(repository) ? repository["full_name"] : undefined,
  ];
  return names.find((name) => typeof name === "string");
}

/**
 * By the path alone, with or without what a server has before it: servers have many names, one for their users and another for their
 * neighbours in the same network.
 */
function isFollowed(repository: string, url: URL): boolean {
  const path = plainPath(URL.parse(repository)?.pathname ?? repository);
  const followed = plainPath(url.pathname);
  return followed === path || followed.endsWith(`/${path}`) || path.endsWith(`/${followed}`);
}

function plainPath(path: string): string {
  return path
    .toLowerCase()
    .replace(/^\/+|\/+$/g, "")
    .replace(/\.git$/, "");
}

/** GitHub, GitLab and Gitea list the commits of a push, the newest ones at least, all with their authors. */
function isAllOurs(commits: unknown, author: { readonly name: string; readonly email: string }): boolean {
  if (!Array.isArray(commits) || commits.length === 0) return false;
  return commits.every((commit: unknown) => {
    const found = isFields(commit) ? commit["author"] : undefined;
    return isFields(found) && found["email"] === author.email && found["name"] === author.name;
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

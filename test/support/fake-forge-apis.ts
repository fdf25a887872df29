import type { IncomingMessage } from "node:http";
import type { ForgeKind } from "./forge-contract.ts";

export interface FakeComment {
  readonly id: number;
  readonly request: number;
  readonly author: string;
  body: string;
}

export interface FakeStatus {
  readonly commit: string;
  readonly state: string;
  readonly context: string;
  readonly description: string;
}

/** What the API of one kind of forge calls things, and how it shows them. */
export interface FakeForgeApi {
  readonly states: ReadonlySet<string>;
  authorized(headers: IncomingMessage["headers"]): boolean;
  userOf(login: string): unknown;
  requests: RegExp;
  requestOf(number: number): unknown;
  comments: RegExp;
  comment: { readonly pattern: RegExp; readonly method: string };
  commentOf(comment: FakeComment): unknown;
  statuses: RegExp;
  statusOf(id: number, status: FakeStatus): unknown;
  contextField: string;
  readonly sizeParameter: string;
}

export const TOKEN = "token-of-penstock";
export const LOGIN = "penstock-bot";
const WHEN = "2026-11-22T12:00:00Z";
const HTML = "https://forge.example.com/streams/jobs";

function githubUser(login: string): unknown {
  return { login, id: 1, node_id: "U_1", html_url: `https://forge.example.com/${login}`, type: "User", site_admin: false };
}

function branchOf(ref: string): unknown {
  return { label: `streams:${ref}`, ref, sha: "a".repeat(40) };
}

/** What GitHub and Gitea have in common: the latter was made after the former. */
const SHARED = {
  requests: /^\/repos\/streams\/jobs\/pulls$/,
  comments: /^\/repos\/streams\/jobs\/issues\/(\d+)\/comments$/,
  comment: { pattern: /^\/repos\/streams\/jobs\/issues\/comments\/(\d+)$/, method: "PATCH" },
  statuses: /^\/repos\/streams\/jobs\/statuses\/([0-9a-f]{40})$/,
  contextField: "context",
};

export const APIS: Readonly<Record<ForgeKind, FakeForgeApi>> = {
  github: {
    ...SHARED,
    states: new Set(["error", "failure", "pending", "success"]),
    authorized: ({ authorization }) => authorization === `Bearer ${TOKEN}`,
    userOf: githubUser,
    requestOf: (number) => ({
      url: `${HTML}/pulls/${number}`,
      id: 5000 + number,
      node_id: `PR_${number}`,
      html_url: `${HTML}/pull/${number}`,
      number,
      state: "open",
      locked: false,
      title: "a request",
      user: githubUser("somebody"),
      body: null,
      draft: false,
      created_at: WHEN,
      updated_at: WHEN,
      head: branchOf("work"),
      base: branchOf("main"),
    }),
    commentOf: ({ id, request, body, author }) => ({
      id,
      node_id: `IC_${id}`,
      url: `${HTML}/issues/comments/${id}`,
      html_url: `${HTML}/pull/${request}#issuecomment-${id}`,
      issue_url: `${HTML}/issues/${request}`,
      body,
      user: githubUser(author),
      author_association: "NONE",
      created_at: WHEN,
      updated_at: WHEN,
    }),
    statusOf: (id, { commit, state, context, description }) => ({
      url: `${HTML}/statuses/${commit}`,
      avatar_url: null,
      id,
      node_id: `SC_${id}`,
      state,
      description,
      target_url: null,
      context,
      created_at: WHEN,
      updated_at: WHEN,
      creator: githubUser(LOGIN),
    }),
    sizeParameter: "per_page",
  },
  gitea: {
    ...SHARED,
    states: new Set(["pending", "success", "error", "failure"]),
    authorized: ({ authorization }) => authorization === `token ${TOKEN}`,
    userOf: (login) => ({ login, id: 1 }),
    requestOf: (number) => ({
      id: 5000 + number,
      number,
      state: "open",
      title: "a request",
      head: branchOf("work"),
      base: branchOf("main"),
    }),
    commentOf: ({ id, body, author }) => ({ id, body, user: { id: 1, login: author }, created_at: WHEN, updated_at: WHEN }),
    statusOf: (id, { state, context, description }) => ({
      id,
      status: state,
      context,
      description,
      created_at: WHEN,
      updated_at: WHEN,
    }),
    sizeParameter: "limit",
  },
  gitlab: {
    states: new Set(["pending", "running", "success", "failed", "canceled", "skipped"]),
    authorized: (headers) => headers["private-token"] === TOKEN,
    userOf: gitlabUser,
    requests: /^\/projects\/streams%2Fjobs\/merge_requests$/,
    requestOf: (iid) => ({
      id: 1000 + iid,
      iid,
      project_id: 1,
      title: "a request",
      description: null,
      state: "opened",
      author: gitlabUser("somebody"),
      created_at: WHEN,
      updated_at: WHEN,
      web_url: `${HTML}/-/merge_requests/${iid}`,
      source_branch: "work",
      target_branch: "main",
      sha: "a".repeat(40),
    }),
    comments: /^\/projects\/streams%2Fjobs\/merge_requests\/(\d+)\/notes$/,
    comment: { pattern: /^\/projects\/streams%2Fjobs\/merge_requests\/\d+\/notes\/(\d+)$/, method: "PUT" },
    commentOf: ({ id, request, body, author }) => ({
      id,
      body,
      author: gitlabUser(author),
      created_at: WHEN,
      updated_at: WHEN,
      system: false,
      resolvable: false,
      noteable_id: 1000 + request,
      noteable_type: "MergeRequest",
      noteable_iid: request,
    }),
    statuses: /^\/projects\/streams%2Fjobs\/statuses\/([0-9a-f]{40})$/,
    statusOf: (id, { commit, state, context, description }) => ({
      id,
      sha: commit,
      ref: "main",
      status: state,
      name: context,
      target_url: null,
      description,
      allow_failure: false,
      created_at: WHEN,
      started_at: null,
      finished_at: null,
      author: gitlabUser(LOGIN),
    }),
    contextField: "name",
    sizeParameter: "per_page",
  },
};

function gitlabUser(username: string): unknown {
  return { id: 1, username, name: username, state: "active", avatar_url: null, web_url: `https://forge.example.com/${username}` };
}

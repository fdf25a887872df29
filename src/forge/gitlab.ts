import { idOf, memberOf, PAGE_SIZE, readComment, textOf, type Dialect } from "./dialect.ts";

const STATES = { pending: "pending", success: "success", failure: "failed" } as const;

/** GitLab's REST API. `repository` is the project with its groups: `group/sub/name`. */
export function gitlabDialect(repository: string): Dialect {
  const project = `/projects/${encodeURIComponent(repository)}`;
  return {
    root: "/api/v4",
    defaultUrl: "https://gitlab.com",
    headersFor: (token) => ({ "private-token": token, accept: "application/json" }),
    user: "/user",
    loginOf: (user) => textOf(memberOf(user, "username")),
    openRequests: (page) => `${project}/merge_requests?state=opened&order_by=created_at&per_page=${PAGE_SIZE}&page=${page}`,
    numberOf: (request) => idOf(memberOf(request, "iid")),
    comments: (request, page) =>
      `${project}/merge_requests/${request}/notes?sort=asc&order_by=created_at&per_page=${PAGE_SIZE}&page=${page}`,
    commentsComeAtOnce: false,
    commentOf: (value) => readComment(value, ["author", "username"]),
    createComment: (request, body) => ({
      write: "create-comment",
      method: "POST",
      path: `${project}/merge_requests/${request}/notes`,
      json: { body },
    }),
    updateComment: (request, id, body) => ({
      write: "update-comment",
      method: "PUT",
      path: `${project}/merge_requests/${request}/notes/${id}`,
      json: { body },
    }),
    setStatus: (commit, { state, context, description }) => ({
      write: "set-commit-status",
      method: "POST",
      path: `${project}/statuses/${commit}`,
      json: { state: STATES[state], name: context, description },
    }),
    // GitLab refuses to set a status to what it is, and any status of a commit that is in no branch of the project: the head of a request from a fork.
    canBeLeft: (status, text) =>
      (status === 400 && text.includes("Cannot transition status")) || (status === 404 && text.includes("References for commit")),
    isTooOften: () => false,
    writesApartMs: 0,
  };
}

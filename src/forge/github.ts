import { idOf, memberOf, PAGE_SIZE, readComment, textOf, type Dialect } from "./dialect.ts";

/** GitHub's REST API, also of an own server, whose address ends with `/api/v3`. `repository` is `owner/name`. */
export function githubDialect(repository: string): Dialect {
  const repo = `/repos/${repository.split("/").map(encodeURIComponent).join("/")}`;
  return {
    root: "",
    defaultUrl: "https://api.github.com",
    headersFor: (token) => ({
      authorization: `Bearer ${token}`,
      accept: "application/vnd.github+json",
      "x-github-api-version": "2022-11-28",
    }),
    user: "/user",
    loginOf: (user) => textOf(memberOf(user, "login")),
    openRequests: (page) => `${repo}/pulls?state=open&sort=created&direction=desc&per_page=${PAGE_SIZE}&page=${page}`,
    numberOf: (request) => idOf(memberOf(request, "number")),
    comments: (request, page) => `${repo}/issues/${request}/comments?per_page=${PAGE_SIZE}&page=${page}`,
    commentsComeAtOnce: false,
    commentOf: (value) => readComment(value, ["user", "login"]),
    createComment: (request, body) => ({
      write: "create-comment",
      method: "POST",
      path: `${repo}/issues/${request}/comments`,
      json: { body },
    }),
    updateComment: (_request, id, body) => ({
      write: "update-comment",
      method: "PATCH",
      path: `${repo}/issues/comments/${id}`,
      json: { body },
    }),
    setStatus: (commit, { state, context, description }) => ({
      write: "set-commit-status",
      method: "POST",
      path: `${repo}/statuses/${commit}`,
      json: { state, context, description },
    }),
    canBeLeft: () => false,
    isTooOften: (text) => /secondary rate limit/i.test(text),
    writesApartMs: 1000,
  };
}

import { githubDialect } from "./github.ts";
import { PAGE_SIZE, type Dialect } from "./dialect.ts";

/** Gitea's REST API, and Forgejo's, which follow GitHub's shapes. Comments come all at once but in versions that link to more. */
export function giteaDialect(repository: string): Dialect {
  const github = githubDialect(repository);
  const repo = `/repos/${repository.split("/").map(encodeURIComponent).join("/")}`;
  const { defaultUrl: _none, ...shared } = github;
  return {
    ...shared,
    root: "/api/v1",
    headersFor: (token) => ({ authorization: `token ${token}`, accept: "application/json" }),
    openRequests: (page) => `${repo}/pulls?state=open&limit=${PAGE_SIZE}&page=${page}`,
    commentsComeAtOnce: true,
    comments: (request, page) => `${repo}/issues/${request}/comments${page === 1 ? "" : `?page=${page}`}`,
    isTooOften: () => false,
    writesApartMs: 0,
  };
}

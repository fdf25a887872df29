/** Why Git would not take this for a branch, in one line that says what to do; undefined when it would. The rules of `git check-ref-format`. */
export function branchNameProblem(branch: string): string | undefined {
  if (branch.startsWith("refs/")) return "must be the short name of a branch; leave refs/heads/ out";
  if (branch === "@" || branch === "HEAD" || branch.startsWith("-")) return "must be the name of a branch, such as main";
  if (/[\p{Cc} ~^:?*[\\]/u.test(branch)) return "must not hold spaces, control characters or any of ~ ^ : ? * [ \\";
  if (branch.includes("..") || branch.includes("@{") || branch.endsWith(".")) return "must not hold .. or @{, nor end with a dot";
  const parts = branch.split("/");
  if (parts.some((part) => part === "")) return "must not begin or end with a slash, nor hold two in a row";
  if (parts.some((part) => part.startsWith(".") || part.endsWith(".lock"))) {
    return "must not have a part that begins with a dot or ends with .lock";
  }
  return undefined;
}

/** Where the plans of requests are written. */
export const PREVIEWS_BRANCH = "penstock/previews";

/** Git keeps branches like files: `a` and `a/b` cannot both exist. */
export function branchesCollide(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}

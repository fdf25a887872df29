import { posix } from "node:path";
import { publicUrl } from "../common/secrets.ts";
import { oneLine } from "../common/text.ts";
import type { ArtifactSource, MavenCoordinates } from "./manifest.ts";

export type ParsedSource = { readonly source: ArtifactSource } | { readonly problem: string };

/** `spec.source` of an Artifact, as it stands in the manifest at `manifestPath`. `problem` continues the field's name: "must …". */
export function parseArtifactSource(kind: ArtifactSource["kind"], text: string, manifestPath: string): ParsedSource {
  switch (kind) {
    case "path":
      return parsePath(text, manifestPath);
    case "url":
      return parseUrl(text);
    case "maven":
      return parseMaven(text);
    case "s3":
      return parseS3(text);
    default:
      return kind satisfies never;
  }
}

function parsePath(text: string, manifestPath: string): ParsedSource {
  const found = `found ${quoted(text)}`;
  if (/[\\\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text))
    return { problem: `must be a path with / between folders and without characters that cannot be seen, ${found}` };
  const path = text.startsWith("/") ? posix.normalize(text.replace(/^\/+/, "")) : posix.join(posix.dirname(manifestPath), text);
  if (path === ".." || path.startsWith("../")) {
    return { problem: `must stay within the repository, ${found}; name a file below its root` };
  }
  if (path === "" || path === "." || path.endsWith("/")) return { problem: `must name a file, ${found}` };
  return { source: { kind: "path", path } };
}

function parseUrl(text: string): ParsedSource {
  const url = URL.parse(text);
  // Plain http is for the hosts that the daemon's configuration names for it, which a manifest alone does not tell.
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:") || !/^https?:\/\//i.test(text)) {
    return {
      problem: `must be an https address such as https://example.com/app.jar, found ${quoted(url === null ? text.replace(/\/\/[^/]*@/, "//") : publicUrl(url))}`,
    };
  }
  if (url.username !== "" || url.password !== "") {
    return {
      problem: `must not hold a user name or password, found ${quoted(publicUrl(url))} with one; take it out of the manifest, and out of Git's history`,
    };
  }
  url.hash = ""; // is never sent
  return { source: { kind: "url", url: url.href } };
}

const EXAMPLE = "org.apache.flink:flink-examples-streaming:1.20.0:jar:TopSpeedWindowing";

function parseMaven(text: string): ParsedSource {
  const parts = text.trim().split(":");
  const [group, artifact, version, type = "jar", classifier] = parts;
  const isComplete = parts.length >= 3 && parts.length <= 5 && parts.every(isCoordinate);
  if (!isComplete || group === undefined || artifact === undefined || version === undefined) {
    return { problem: `must be group:artifact:version[:type[:classifier]] such as ${EXAMPLE}, found ${quoted(text)}` };
  }
  if (/-SNAPSHOT$/i.test(version) || /^(?:LATEST|RELEASE)$/i.test(version)) {
    const why = "the bytes behind it change, and an Artifact never does";
    return {
      problem: `must name a released version, found ${quoted(version)}: ${why}; release one, or put the jar into the repository and use path`,
    };
  }
  const coordinates: MavenCoordinates = { group, artifact, version, type, ...(classifier === undefined ? {} : { classifier }) };
  return { source: { kind: "maven", coordinates } };
}

/** Coordinates become the folders of a repository's address, so none may climb out of it. */
function isCoordinate(part: string): boolean {
  return /^[\w+-][\w.+-]*$/.test(part) && !part.includes("..");
}

function parseS3(text: string): ParsedSource {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^\s\p{Cc}]+)$/u.exec(text);
  if (match === null || match[2]!.endsWith("/"))
    return { problem: `must be s3://bucket/key such as s3://jars/app.jar, found ${quoted(text)}` };
  return { source: { kind: "s3", bucket: match[1]!, key: match[2]! } };
}

function quoted(text: string): string {
  return JSON.stringify(oneLine(text, 120));
}

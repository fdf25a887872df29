import type { ArtifactRequest, ArtifactSeen } from "../artifacts/artifact-store.ts";
import type { ResourceKey } from "../model/resource.ts";

/** What a jar that nobody has looked into may hold: any class, and an entry class in its manifest. */
const ANY_JAR = {
  kind: "jar",
  mainClassOfManifest: "(the jar's manifest says)",
  classNames: new Set<string>(),
  complete: false,
  hasNestedJars: false,
  flinkClasses: { count: 0, examples: [] },
  classes: new Map(),
} as const;

/**
 * Jars as a plan sees them. A plan downloads nothing: a jar that is not at hand and could be fetched counts as good, so that the plan tells
 * what comes after it. Which ones these are is noted, and said in the plan.
 */
export class AssumedArtifacts {
  readonly notAtHand = new Set<ResourceKey>();
  readonly #look: (request: ArtifactRequest) => ArtifactSeen;

  /** `look` tells what is known of a jar without a download. */
  constructor(look: (request: ArtifactRequest) => ArtifactSeen) {
    this.#look = look;
  }

  see(request: ArtifactRequest): ArtifactSeen {
    const seen = this.#look(request);
    if (seen.kind === "ready" || seen.kind === "failed") return seen;
    this.notAtHand.add(request.key);
    return { kind: "ready", sha256: request.sha256 ?? "0".repeat(64), size: 0, file: "", inspection: ANY_JAR };
  }
}

import { manifestsSchema } from "../../src/model/manifest-schema.ts";
import { optionsReference } from "../../src/model/options-reference.ts";
import { reasonsReference } from "../../src/model/reasons.ts";
import { PLAN_SCHEMA } from "../../src/preview/plan-schema.ts";
import { configJsonSchema, configReference } from "./config-documents.ts";

/** A file of the repository that is written from the sources and never by hand. */
export interface GeneratedFile {
  /** From the repository's root. */
  readonly path: string;
  readonly content: () => string;
}

/** `npm run generate` writes them, a test compares them. */
export const GENERATED_FILES: readonly GeneratedFile[] = [
  { path: "config/configuration.md", content: configReference },
  { path: "config/manifests.schema.json", content: () => `${JSON.stringify(manifestsSchema(), undefined, 2)}\n` },
  { path: "config/options.md", content: optionsReference },
  { path: "config/penstock.schema.json", content: configJsonSchema },
  { path: "config/plan.schema.json", content: () => `${JSON.stringify(PLAN_SCHEMA, undefined, 2)}\n` },
  { path: "config/reasons.md", content: reasonsReference },
];

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { GENERATED_FILES } from "./generated-files.ts";

/** `npm run generate`: writes every file that comes from the sources. */
for (const { path, content } of GENERATED_FILES) {
  writeFileSync(join(import.meta.dirname, "../..", path), content());
  console.log(`wrote ${path}`);
}

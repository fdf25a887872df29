/** Builds jobs-example/jars/counter.jar anew from test/job: `node test/support/write-test-job.ts`. */
import { writeFile } from "node:fs/promises";
import { fetchWithMaven } from "./maven.ts";
import { buildTestJob, TEST_JOB_JAR } from "./test-job.ts";

await writeFile(TEST_JOB_JAR, await buildTestJob(await fetchWithMaven("1.16.3")));

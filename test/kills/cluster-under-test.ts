import { utimes } from "node:fs/promises";
import type { Clock } from "../../src/common/clock.ts";
import { startFakeFlink, type FakeFlinkOptions } from "../support/fake-flink.ts";
import { startRealFlink } from "../support/real-flink.ts";

/** A session cluster, real or not, past whose gate a test looks. */
export interface ClusterUnderTest {
  readonly url: URL;
  readonly version: string;
  readonly adaptive: boolean;
  readonly checkpointsDir: string;
  readonly savepointsDir: string;
  /** As if the jar had been uploaded longer ago than anything that might still be wanted. */
  uploadLongAgo(fileName: string, content: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export type StartCluster = (clock: Clock, first: ClusterUnderTest | undefined) => Promise<ClusterUnderTest>;

const LONG_AGO_MS = 3_600_000;

/** Jobs can move between it and the first cluster of its world. */
export function aFakeCluster(options: FakeFlinkOptions = {}): StartCluster {
  return async (clock, first) => {
    let behindMs = 0;
    const own: Clock = { now: () => clock.now() - behindMs, random: () => clock.random() };
    const flink = await startFakeFlink({
      ...options,
      clock: own,
      ...(first === undefined ? {} : { sharedDirectories: first }),
    });
    const { url, version, checkpointsDir, savepointsDir } = flink;
    return {
      url,
      version,
      adaptive: options.adaptive === true,
      checkpointsDir,
      savepointsDir,
      async uploadLongAgo(fileName, content) {
        behindMs = LONG_AGO_MS;
        await upload(url, fileName, content);
        behindMs = 0;
      },
      close: async () => flink.close(),
    };
  };
}

/** Without these an adaptive scheduler takes half a minute for what is tested here. */
const ADAPTIVE: Readonly<Record<string, string>> = {
  "jobmanager.scheduler": "adaptive",
  "jobmanager.adaptive-scheduler.scaling-interval.min": "100ms",
  "jobmanager.adaptive-scheduler.scaling-interval.max": "1s",
  "jobmanager.adaptive-scheduler.resource-stabilization-timeout": "500ms",
};

export function aRealCluster(version: string, { adaptive = false } = {}): StartCluster {
  return async () => {
    const flink = await startRealFlink({ version, slots: 10, config: adaptive ? ADAPTIVE : {} });
    return {
      url: flink.url,
      version,
      adaptive,
      checkpointsDir: flink.checkpointsDir,
      savepointsDir: flink.savepointsDir,
      async uploadLongAgo(fileName, content) {
        const longAgo = new Date(Date.now() - LONG_AGO_MS);
        await utimes(await upload(flink.url, fileName, content), longAgo, longAgo);
      },
      close: async () => flink.stop(),
    };
  };
}

/** Where Flink has put it. */
async function upload(url: URL, fileName: string, content: Uint8Array): Promise<string> {
  const body = new FormData();
  body.append("jarfile", new Blob([new Uint8Array(content)], { type: "application/x-java-archive" }), fileName);
  const answer = await fetch(new URL("/jars/upload", url), { method: "POST", body, signal: AbortSignal.timeout(20_000) });
  if (!answer.ok) throw new Error(`uploading ${fileName} was refused with ${answer.status}`);
  return String(Reflect.get(Object(await answer.json()), "filename"));
}

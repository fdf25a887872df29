import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Secret } from "../../src/common/secrets.ts";
import { parseListText, parseMapText } from "../../src/model/option-text.ts";
import type { SecretSeen } from "../../src/pass/read-secrets.ts";
import { digestsOf, revealSecrets, wantedSecrets, withSecrets } from "../../src/pass/secrets-for-job.ts";
import {
  aDesiredArtifact,
  aDesiredJob,
  anArtifactManifest,
  anArtifactRecord,
  aSpec,
  aStartedRecord,
  FROZEN,
} from "./builders.ts";

const READY = { kind: "ready", frozen: FROZEN, javaVersion: 8 } as const;

function read(text: string): SecretSeen {
  return { kind: "read", value: new Secret(text), digest: "0a1b2c3d" };
}

describe("a program with its secrets", () => {
  it("is as ready as its jar where it names none", () => {
    expect(withSecrets(READY, { project: "default", spec: aSpec() }, new Map())).toEqual({ ...READY, secrets: new Map() });
    const missing = { kind: "not-ready", reason: "ArtifactMissing", because: "no" } as const;
    expect(withSecrets(missing, { project: "default", spec: aSpec() }, new Map())).toBe(missing);
  });

  it("waits for the one that is missing, by its name", () => {
    const spec = aSpec({ configuration: { "pipeline.name": "${secret:name}" } });
    const seen = new Map<string, SecretSeen>([["default/name", { kind: "missing", because: "it is not there" }]]);
    expect(withSecrets(READY, { project: "default", spec }, seen)).toEqual({
      kind: "not-ready",
      reason: "SecretMissing",
      because: "waits for secret name of project default: it is not there",
    });
  });

  it("takes no secret of another project", () => {
    const frozen = { ...FROZEN, jarOptions: { ...FROZEN.jarOptions, mainArgs: ["${secret:db}"] } };
    const seen = new Map([["other/db", read("sesame")]]);
    expect(withSecrets({ kind: "ready", frozen, javaVersion: 8 }, { project: "default", spec: aSpec() }, seen)).toMatchObject({
      reason: "SecretMissing",
    });
  });

  it("says what a secret must be for its option, and not what it is", () => {
    const spec = aSpec({ configuration: { "execution.checkpointing.interval": "${secret:interval}" } });
    expect(withSecrets(READY, { project: "default", spec }, new Map([["default/interval", read("sesame")]]))).toEqual({
      kind: "not-ready",
      reason: "SecretUnusable",
      because:
        "with secret interval, the option execution.checkpointing.interval must be a duration of at least 10 ms, such as 30 s",
    });
  });

  it("is filled in for the call alone, and each option in the form that the version reads", () => {
    const frozen = { ...FROZEN, jarOptions: { ...FROZEN.jarOptions, mainArgs: ["--password", "${secret:db}"] } };
    const spec = aSpec({ configuration: { "task.cancellation.timeout": "${secret:limit}", "pipeline.name": "$${secret:db}" } });
    const seen = new Map([
      ["default/db", read("sesame")],
      ["default/limit", read("3 min")],
    ]);
    const program = withSecrets({ kind: "ready", frozen, javaVersion: 8 }, { project: "default", spec }, seen);
    if (program.kind !== "ready") throw new Error(program.because);
    expect(inspect(program, { depth: 9 }) + JSON.stringify([...program.secrets])).not.toContain("sesame");
    expect(digestsOf(program.secrets)).toEqual({ db: "0a1b2c3d", limit: "0a1b2c3d" });
    const hidden = { mainArgs: frozen.jarOptions.mainArgs, configuration: spec.configuration, secrets: program.secrets };
    const revealed = revealSecrets(hidden, "1.16");
    expect(revealed.mainArgs).toEqual(["--password", "sesame"]);
    expect(revealed.configuration).toMatchObject({ "task.cancellation.timeout": "180000", "pipeline.name": "${secret:db}" });
  });

  it("stays within its item of a list or of pairs, whatever it holds", () => {
    const configuration = {
      "pipeline.global-job-parameters": "a:${secret:odd},b:2",
      "pipeline.registered-pojo-types": "[x.A, '${secret:odd}']",
    };
    const secrets = new Map([["odd", { value: new Secret("it's 1:2;3,4"), digest: "0a1b2c3d" }]]);
    const spec = aSpec({ configuration });
    expect(withSecrets(READY, { project: "default", spec }, new Map([["default/odd", read("it's 1:2;3,4")]])).kind).toBe("ready");
    const revealed = revealSecrets({ mainArgs: [], configuration, secrets }, "1.16").configuration;
    expect(parseMapText(revealed["pipeline.global-job-parameters"]!)).toEqual([
      ["a", "it's 1:2;3,4"],
      ["b", "2"],
    ]);
    expect(parseListText(revealed["pipeline.registered-pojo-types"]!)).toEqual(["x.A", "it's 1:2;3,4"]);
  });

  it("counts as right where it is only assumed", () => {
    const spec = aSpec({ configuration: { "execution.checkpointing.interval": "${secret:interval}" } });
    const seen = new Map<string, SecretSeen>([["default/interval", { kind: "assumed" }]]);
    expect(withSecrets(READY, { project: "default", spec }, seen)).toEqual({ ...READY, secrets: new Map() });
  });

  it("is looked for as it is declared and as it was accepted, with what its Artifact says", () => {
    const artifacts = [
      aDesiredArtifact({
        manifest: anArtifactManifest("app", { jarOptions: { mainArgs: ["${secret:of-artifact}"] } }),
        record: anArtifactRecord(),
      }),
    ];
    const job = aDesiredJob({
      manifest: { spec: { jarOptions: { mainArgs: ["${secret:declared}"] } } },
      record: aStartedRecord({
        spec: { configuration: { "pipeline.name": "${secret:accepted}" } },
        status: { artifact: { ...FROZEN, jarOptions: { mainArgs: ["${secret:frozen}"] } } },
      }),
    });
    const names = wantedSecrets({ jobs: [job], artifacts }).map(({ project, name }) => `${project}/${name}`);
    expect(names.sort()).toEqual(["default/accepted", "default/declared", "default/frozen", "default/of-artifact"]);
  });
});

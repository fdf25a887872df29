import { printYaml } from "../common/print-yaml.ts";
import { escapeMarkdown } from "../common/markdown.ts";
import { compareText } from "../common/problem.ts";
import { compileSchema } from "../common/schema-problems.ts";
import { countOf, oneLine } from "../common/text.ts";
import { parseYamlFile } from "../common/yaml-file.ts";
import { resourceKey } from "./resource.ts";
import { stateLabel } from "./state-label.ts";
import { pickKnown, SUMMARY_SCHEMA, YAML_STYLE } from "./status-schema.ts";
import type { ResourceRecord, Summary } from "./status.ts";

export const SUMMARY_PATH = "summary.yaml";
export const README_PATH = "README.md";

/** A line for each of tens of thousands of resources. */
const MAX_SUMMARY_BYTES = 4 * 1024 ** 2;

/** What more there is to say stands in the resource's own file. */
const CELL = 300;

const isSummary = compileSchema(SUMMARY_SCHEMA);

/** `summary.yaml`: what the branch stands for, and a line for each resource. */
export function formatSummary(summary: Summary, records: readonly ResourceRecord[]): string {
  const resources = Object.fromEntries(sorted(records).map((record) => [resourceKey(record.id), stateLabel(record.status)]));
  const header = "# Written by Penstock; changes made here by hand are overwritten.\n";
  const known = pickKnown(SUMMARY_SCHEMA, summary) as object;
  return header + printYaml({ ...known, resources }, YAML_STYLE);
}

/** Undefined when the text is no summary. */
export function parseSummary(text: string): Summary | undefined {
  const { documents, problems } = parseYamlFile(SUMMARY_PATH, text, { maxBytes: MAX_SUMMARY_BYTES });
  const [document] = documents;
  if (document === undefined || problems.length > 0) return undefined;
  const value = pickKnown(SUMMARY_SCHEMA, document.value, (path) => document.sourceText(path));
  return isSummary(value) ? (value as Summary) : undefined;
}

/** `README.md` of the status branch, for whoever opens it in a browser. Foreign text in it is escaped. */
export function formatStatusReadme(records: readonly ResourceRecord[], summary: Summary): string {
  const { branch } = summary.source;
  return (
    [
      "# Status",
      `Written by Penstock, instance ${escapeMarkdown(summary.instance)}, for the branch ${escapeMarkdown(branch)}. Changes made here by hand are overwritten.`,
      `Newest applied commit: \`${summary.appliedCommit.replaceAll(/[^0-9a-zA-Z]/g, "")}\``,
      ...(summary.refused === undefined ? [] : [`**Not applied:** ${escapeMarkdown(summary.refused)}`]),
      ...problemsSection(summary.problems),
      ...listSection("Not mirrored", "Why some manifests do not show their status.", summary.unmirrored ?? []),
      ...resourcesSection(records),
      ...listSection(
        "Orphans",
        "Jobs of this instance that no resource speaks of. Penstock does not touch them.",
        summary.orphans,
      ),
      ...listSection("Unmanaged jobs", "Jobs of others on the same clusters. Penstock does not touch them.", summary.unmanaged),
    ].join("\n\n") + "\n"
  );
}

function problemsSection(problems: readonly string[]): readonly string[] {
  if (problems.length === 0) return [];
  return [`## ${countOf(problems.length, "problem")}`, problems.map((problem) => `- ${escapeMarkdown(problem)}`).join("\n")];
}

function resourcesSection(records: readonly ResourceRecord[]): readonly string[] {
  if (records.length === 0) return ["## Resources", "None yet."];
  const rows = sorted(records).map((record) => {
    const { zone, project, name, kind } = record.id;
    const link = `[${escapeMarkdown(name)}](${encodeURI(`${resourceKey(record.id)}.yaml`)})`;
    const cells = [
      kind,
      link,
      escapeMarkdown(zone),
      escapeMarkdown(project),
      stateLabel(record.status),
      escapeMarkdown(troubleOf(record)),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "## Resources",
    ["| kind | name | zone | project | state | what is missing |", "| --- | --- | --- | --- | --- | --- |", ...rows].join("\n"),
  ];
}

function listSection(title: string, explanation: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  return [`## ${title}`, explanation, lines.map((line) => `- ${escapeMarkdown(line)}`).join("\n")];
}

/** Conditions that do not hold, in their own words. */
function troubleOf({ status }: ResourceRecord): string {
  return status.conditions
    .filter((condition) => condition.status !== "True")
    .map(({ message, reason }) => oneLine(message || reason, CELL))
    .join(" · ");
}

function sorted(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  return records.toSorted((a, b) => compareText(resourceKey(a.id), resourceKey(b.id)));
}

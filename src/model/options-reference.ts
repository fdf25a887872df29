import type { JsonSchema } from "../common/schema-problems.ts";
import type { FlinkOption } from "./option-list/flink-option.ts";
import { REFUSED_OPTIONS } from "./option-list/refused.ts";
import { FLINK_OPTIONS, OPTION_DEFAULTS } from "./option-list.ts";
import { exampleValues, expectedValue, type OptionType } from "./option-values.ts";
import { namesOf } from "./options.ts";

const SECTIONS: readonly (readonly [title: string, prefix: RegExp])[] = [
  ["Checkpoints", /^execution\.checkpointing\./],
  ["Restarts", /^restart-strategy/],
  ["State", /^state\.(?!backend\.(rocksdb|forst)\.)/],
  ["RocksDB", /^state\.backend\.rocksdb\./],
  ["ForSt", /^state\.backend\.forst\./],
  ["Execution", /^(execution\.(?!checkpointing\.)|task\.|metrics\.)/],
  ["Pipeline", /^pipeline\./],
  ["Table API and SQL", /^table\./],
];

/** Every option with a line for people: `config/options.md`. */
export function optionsReference(): string {
  const sections = SECTIONS.map(([title, prefix]) => {
    const rows = FLINK_OPTIONS.filter(({ name }) => prefix.test(name)).map(referenceRow);
    return `## ${title}\n\n| option | value | Flink | meaning | default of Penstock |\n| --- | --- | --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  const refused = REFUSED_OPTIONS.map(
    ({ names, reason }) => `| ${names.map((name) => `\`${name.replace(/\.$/, ".*")}\``).join(", ")} | ${reason} |`,
  );
  return `# Options of a Job

Written by \`npm run generate\` from \`src/model/option-list.ts\`; do not edit.

A Job's \`spec.configuration\` may set the options below. Any name of a renamed option is accepted, whatever the Flink version;
Penstock translates it. What the program itself sets in its code wins over these options.

| a value is | and is written |
| --- | --- |
| a duration | as in Flink, \`30s\`, \`30 s\`, \`1 min\`, a plain number for milliseconds, or in ISO form, \`PT30S\` |
| a memory size | \`64mb\`, \`64 MB\`, a plain number for bytes |
| a list | \`a;b\`, \`[a, b]\`, or a list of YAML; an item that holds the separator stands in quotes |
| pairs | \`key1:value1,key2:value2\`, \`{key1: value1, key2: value2}\`, or a mapping of YAML |
| a secret, or holds one | \`\${secret:NAME}\`: see the README |

${sections.join("\n")}
## Refused

| option | why |
| --- | --- |
${refused.join("\n")}
`;
}

function referenceRow(option: FlinkOption): string {
  const names = [
    `\`${option.name}\``,
    ...(option.formerly ?? []).map(({ name, until }) => `formerly \`${name}\`${until === "1.16" ? "" : ` (before ${until})`}`),
    ...(option.aliases ?? []).map((name) => `formerly \`${name}\``),
  ];
  const cells = [names.join(", "), expectedValue(option.type).replace(/^must be /, ""), versionsOf(option), option.description];
  return `| ${[...cells, defaultOf(option)].join(" | ")} |`;
}

function defaultOf(option: FlinkOption): string {
  const standard = OPTION_DEFAULTS.find(({ name }) => name === option.name);
  return standard === undefined ? "" : `\`${standard.value}\`: ${standard.reason}`;
}

function versionsOf({ since, until, countsSince, type }: FlinkOption): string {
  const versions = since !== undefined ? `${since} and newer` : until === undefined ? "all" : `before ${until}`;
  const counts = countsSince === undefined ? [] : [`before ${countsSince} only the cluster's own counts`];
  const values =
    type.kind === "enum" ? Object.entries(type.since ?? {}).map(([value, first]) => `${value} from ${first} on`) : [];
  return [versions, ...counts, ...values].join("; ");
}

/** For editors: every name that `spec.configuration` may hold, with what they show beside it. */
export function optionsSchema(): JsonSchema {
  const properties = FLINK_OPTIONS.flatMap((option) => {
    const schema = optionSchema(option);
    const older = { ...schema, description: `An older name of ${option.name}. ${String(schema["description"])}` };
    const names = [...namesOf(option), ...(option.aliases ?? [])];
    return names.map((name) => [name, name === option.name ? schema : older] as const);
  });
  return {
    type: ["object", "null"],
    description: "Flink options for this job.",
    additionalProperties: false,
    properties: Object.fromEntries(properties),
    examples: [{ "execution.checkpointing.interval": "30s" }],
  };
}

/** What YAML may make of a value, where that is not text or a number. */
const YAML_TYPES: Readonly<Partial<Record<OptionType["kind"], readonly string[]>>> = {
  text: ["string", "number", "boolean"],
  list: ["string", "number", "boolean", "array"],
  flow: ["string", "array"],
  map: ["string", "object"],
};

/** Says what completion offers, and is no stricter than Penstock: Flink takes words in any case, and a secret may stand for any value. */
function optionSchema(option: FlinkOption): JsonSchema {
  const { type } = option;
  const standard = OPTION_DEFAULTS.find(({ name }) => name === option.name);
  const description = [
    option.description,
    `Flink: ${versionsOf(option)}.`,
    `The value ${expectedValue(type)}.`,
    ...(standard === undefined ? [] : [`Default of Penstock: ${standard.value}.`]),
  ].join(" ");
  if (type.kind === "enum") return { description, anyOf: [{ enum: type.values }, { type: "string" }] };
  if (type.kind === "boolean") return { description, anyOf: [{ type: "boolean" }, { type: "string" }] };
  return { description, type: YAML_TYPES[type.kind] ?? ["string", "number"], examples: exampleValues(type) };
}

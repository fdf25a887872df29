import { CONFIG_SCHEMA, IDLE_OPTIONS } from "../../src/config/config-schema.ts";
import { listOptions, type ListedOption, type OptionSchema } from "../../src/config/schema-value.ts";

/** `config/penstock.schema.json`: for editors, and for whoever checks a configuration without Penstock. */
export function configJsonSchema(): string {
  const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", title: "Penstock configuration", ...CONFIG_SCHEMA };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** `config/configuration.md`: the same, for people. */
export function configReference(): string {
  const rows = listOptions(CONFIG_SCHEMA)
    .filter(({ schema }) => !isGroup(schema))
    .map(rowOf);
  return `# The daemon's configuration

Generated from \`src/config/config-schema.ts\` by \`npm run generate\`; [penstock.yaml](penstock.yaml) shows every option in its place.
\`*\` stands for a name of your choice, \`[]\` for each item of a list. Files are named relative to the configuration's own folder.
A variable such as \`PENSTOCK__REPOSITORY__POLL_INTERVAL\` replaces a single value; zones and lists cannot be set this way.

| option | value | default | meaning |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
}

function rowOf({ pattern, schema, required }: ListedOption): string {
  const idle = IDLE_OPTIONS.get(pattern);
  const meaning = [schema.description ?? "", ...(idle === undefined ? [] : [`*Not yet acted on: ${idle.today}.*`])].join(" ");
  const standard = schema.default === undefined ? (required ? "mandatory" : "") : code(shown(schema.default));
  return `| ${code(pattern)} | ${valueOf(schema, pattern)} | ${standard} | ${meaning.replaceAll("|", "\\|")} |`;
}

/** Only options with a value of their own make a row, and maps and lists of groups through their members. */
function isGroup(schema: OptionSchema): boolean {
  return schema.type === "object" || (schema.type === "array" && schema.items.type === "object");
}

function valueOf(schema: OptionSchema, pattern: string): string {
  switch (schema.type) {
    case "boolean":
      return "`true` or `false`";
    case "integer":
      return schema.maximum === undefined
        ? `whole number from ${schema.minimum ?? "any"}`
        : `whole number from ${schema.minimum} to ${schema.maximum}`;
    case "array":
      return `list of ${valueOf(schema.items, `${pattern}[]`)}`;
    case "object":
      return "group";
    case "string":
      if (schema.enum !== undefined) return schema.enum.map(code).join(", ");
      if (pattern.endsWith("File")) return "file";
      if (pattern.endsWith("Env")) return "name of a variable";
      return /\b(duration|size)\b/.exec(schema.errorMessage ?? "")?.[0] ?? "text";
    default:
      return schema satisfies never;
  }
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function code(text: string): string {
  return `\`${text}\``;
}

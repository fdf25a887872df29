import { Document, isScalar, stringify, visit, type CreateNodeOptions, type DocumentOptions, type ToStringOptions } from "yaml";

/**
 * A plain value as YAML. Unlike the library's own printing it puts a key `<<` into quotes, which every reader of YAML 1.1, and Penstock, takes for a
 * merge.
 */
export function printYaml(value: unknown, style: DocumentOptions & CreateNodeOptions & ToStringOptions = {}): string {
  const text = stringify(value, style);
  if (!text.includes("<<")) return text;
  const document = new Document(value, style);
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) && key.value === "<<") key.type = "QUOTE_DOUBLE";
    },
  });
  return document.toString(style);
}

import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { sortProblems, type Problem } from "./problem.ts";
import { didYouMean } from "./suggest.ts";
import { listOf, oneLine } from "./text.ts";
import type { YamlDocument, YamlPath } from "./yaml-file.ts";

/** A JSON Schema as data. `errorMessage` ("must be …") replaces our own words about a field; editors show it as well. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface SchemaProblemOptions {
  /** Put before every path: where in the document the checked value stands. */
  readonly within?: YamlPath;
  /** Fields whose values are not repeated in a sentence, because they could be secrets. */
  readonly isSecret?: (path: YamlPath) => boolean;
}

/** Compiles a schema in the way that `schemaProblems` needs: all errors at once, each with the part of the schema it is about. */
export function compileSchema(schema: JsonSchema): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    ownProperties: true,
    strict: true,
    strictTypes: false,
    strictRequired: false,
  });
  ajv.addKeyword({ keyword: "errorMessage", schemaType: "string" });
  return ajv.compile(schema);
}

/** `spec.mainArgs[0]`, `spec.configuration["state.backend"]`: a path as people write it. */
export function fieldName(path: YamlPath): string {
  const parts = path.map((part) => {
    if (typeof part === "number") return `[${part}]`;
    return /^[\p{L}_][\p{L}\p{N}_-]{0,79}$/u.test(part) ? `.${part}` : `[${JSON.stringify(oneLine(part, 80))}]`;
  });
  return parts.join("").replace(/^\./, "");
}

/** What the last call of `validate` (from `compileSchema`) found, in sentences with positions. In a stable order. */
export function schemaProblems(
  validate: ValidateFunction,
  document: YamlDocument,
  options: SchemaProblemOptions = {},
): readonly Problem[] {
  const sentences = new Map<string, Problem>();
  for (const error of relevantErrors(validate.errors ?? [])) {
    const { key, problem } = describeError(error, document, options);
    // One sentence for each place and kind: the whole expectation is in it already.
    if (!sentences.has(key)) sentences.set(key, problem);
  }
  return sortProblems([...sentences.values()]);
}

/** Leaves out what follows from other errors: `if` itself, why a key is wrong, and the branches where a sentence about the whole choice is better. */
function relevantErrors(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const choices = errors.filter(
    (error) => (error.keyword === "oneOf" || error.keyword === "anyOf") && !hasClearBranch(error, errors),
  );
  return errors.filter((error) => {
    if (error.keyword === "if" || error.propertyName !== undefined) return false;
    if (isChoice(error)) return choices.includes(error);
    return !choices.some((choice) => isBranchError(error, choice));
  });
}

function isChoice(error: ErrorObject): boolean {
  return error.keyword === "oneOf" || error.keyword === "anyOf";
}

function isBranchError(error: ErrorObject, choice: ErrorObject): boolean {
  return (
    error !== choice && error.schemaPath.startsWith(`${choice.schemaPath}/`) && isWithin(error.instancePath, choice.instancePath)
  );
}

function isWithin(path: string, ancestor: string): boolean {
  return path === ancestor || path.startsWith(`${ancestor}/`);
}

/** Whether the errors of the branches say more than the choice: every branch that could be meant fails at something deeper. */
function hasClearBranch(choice: ErrorObject, errors: readonly ErrorObject[]): boolean {
  if (expectationText(choice) !== undefined) return false;
  const nested = errors.filter((error) => isBranchError(error, choice));
  return nested.length > 0 && nested.every((error) => error.instancePath !== choice.instancePath);
}

interface Finding {
  readonly key: string;
  readonly problem: Problem;
}

function describeError(error: ErrorObject, document: YamlDocument, options: SchemaProblemOptions): Finding {
  const path = parsePointer(error.instancePath, options.within ?? [], document);
  switch (error.keyword) {
    case "additionalProperties":
    case "unevaluatedProperties":
      return unknownField(error, path, document);
    case "required":
    case "dependentRequired":
      return missingField(error, path, document);
    case "propertyNames":
      return badKey(error, path, document);
    default:
      return badValue(error, path, document, options);
  }
}

function unknownField(error: ErrorObject, path: YamlPath, document: YamlDocument): Finding {
  const key = String(error.params["additionalProperty"] ?? error.params["unevaluatedProperty"]);
  const known = Object.keys(propertiesOf(error)).filter((name) => propertiesOf(error)[name] !== false);
  const suggestion = didYouMean(key, known);
  const all = known.length > 0 ? `; known here: ${listOf(known)}` : "; remove it";
  return finding(error, document.atKey([...path, key]), `unknown field ${fieldName([...path, key])}${suggestion || all}`);
}

function missingField(error: ErrorObject, path: YamlPath, document: YamlDocument): Finding {
  const key = String(error.params["missingProperty"]);
  const example = exampleOf(asSchema(propertiesOf(error)[key]));
  const advice = example === undefined ? "add it" : `add it, for example ${key}: ${example}`;
  return finding(error, document.atKey(path), `missing field ${fieldName([...path, key])}; ${advice}`);
}

function badKey(error: ErrorObject, path: YamlPath, document: YamlDocument): Finding {
  const key = String(error.params["propertyName"]);
  const names = asSchema(error.schema);
  const expected = typeof names["errorMessage"] === "string" ? names["errorMessage"] : expectationOf(names);
  const at = document.atKey([...path, key]);
  return finding(error, at, `the key ${oneLine(key, 80) || '""'} of ${nameOrDocument(path)} ${expected}`);
}

function badValue(error: ErrorObject, path: YamlPath, document: YamlDocument, options: SchemaProblemOptions): Finding {
  const schema = asSchema(error.parentSchema);
  const expected = expectationText(error) ?? choiceText(error) ?? expectationOf(schema);
  const found = options.isSecret?.(path) === true ? "" : `, found ${shownValue(error, path, document)}`;
  return finding(error, document.at(path), `${nameOrDocument(path)} ${expected}${found}${enumSuggestion(error)}`);
}

function finding(error: ErrorObject, at: { file: string; line: number; column: number }, message: string): Finding {
  const structural = ["additionalProperties", "unevaluatedProperties", "required", "dependentRequired", "propertyNames"];
  const key = structural.includes(error.keyword) ? message : `value ${error.instancePath}`;
  return { key, problem: { file: at.file, line: at.line, column: at.column, message } };
}

function nameOrDocument(path: YamlPath): string {
  return path.length === 0 ? "the document" : fieldName(path);
}

/** The schema's own words. */
function expectationText(error: ErrorObject): string | undefined {
  const text = asSchema(error.parentSchema)["errorMessage"];
  return typeof text === "string" ? text : undefined;
}

/** `oneOf` and `anyOf`: which fields exclude each other, or what each branch would accept. */
function choiceText(error: ErrorObject): string | undefined {
  if (!isChoice(error) || !Array.isArray(error.schema)) return undefined;
  const branches = error.schema.map(asSchema);
  const fields = branches.map((branch) => (Array.isArray(branch["required"]) ? branch["required"].map(String) : []));
  if (fields.every((names) => names.length === 1)) {
    const amount = error.keyword === "oneOf" ? "exactly" : "at least";
    return `must have ${amount} one of ${listOf(fields.flat())}`;
  }
  return `must be ${listOf([...new Set(branches.map((branch) => expectationOf(branch).replace(/^must be /, "")))], "or")}`;
}

/** `must be a whole number of at least 0`: everything that the schema of one field asks for. */
function expectationOf(schema: JsonSchema): string {
  if (typeof schema["errorMessage"] === "string") return schema["errorMessage"];
  if (schema["const"] !== undefined) return `must be ${shown(schema["const"])}`;
  if (Array.isArray(schema["enum"]))
    return `must be ${schema["enum"].length > 1 ? "one of " : ""}${listOf(schema["enum"].map(shown), "or")}`;
  if (schema["not"] !== undefined && schema["type"] === undefined) return "must not be this";
  const types = [schema["type"]].flat().filter((type) => typeof type === "string");
  const words = types.map((type) => TYPE_WORDS[type] ?? type);
  return `must be ${listOf(words.length > 0 ? words : ["another value"], "or")}${boundsOf(schema)}${exampleSuffix(schema)}`;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  object: "a mapping",
  array: "a list",
  null: "empty",
};

function boundsOf(schema: JsonSchema): string {
  const bounds: string[] = [];
  const add = (keyword: string, words: (bound: number) => string): void => {
    const bound = schema[keyword];
    if (typeof bound === "number") bounds.push(words(bound));
  };
  add("minimum", (bound) => `of at least ${bound}`);
  add("exclusiveMinimum", (bound) => `above ${bound}`);
  add("maximum", (bound) => (typeof schema["minimum"] === "number" ? `at most ${bound}` : `of at most ${bound}`));
  add("minLength", (bound) => (bound === 1 ? "that is not empty" : `of at least ${bound} characters`));
  add("maxLength", (bound) => `of at most ${bound} characters`);
  add("minItems", (bound) => (bound === 1 ? "that is not empty" : `of at least ${bound} entries`));
  add("maxItems", (bound) => `of at most ${bound} entries`);
  add("minProperties", (bound) => (bound === 1 ? "that is not empty" : `of at least ${bound} fields`));
  add("maxProperties", (bound) => `of at most ${bound} fields`);
  if (schema["uniqueItems"] === true) bounds.push("without repetitions");
  return bounds.length === 0 ? "" : ` ${listOf(bounds)}`;
}

function exampleSuffix(schema: JsonSchema): string {
  const example = schema["pattern"] === undefined ? undefined : exampleOf(schema);
  return example === undefined ? "" : ` such as ${example}`;
}

function exampleOf(schema: JsonSchema): string | undefined {
  if (Array.isArray(schema["examples"])) return shown(schema["examples"][0]);
  if (schema["const"] !== undefined) return shown(schema["const"]);
  if (Array.isArray(schema["enum"])) return shown(schema["enum"][0]);
  return schema["default"] === undefined ? undefined : shown(schema["default"]);
}

function shown(value: unknown): string {
  return typeof value === "string" && value !== "" ? value : JSON.stringify(value);
}

function enumSuggestion(error: ErrorObject): string {
  if (error.keyword !== "enum" || typeof error.data !== "string" || !Array.isArray(error.schema)) return "";
  return didYouMean(
    error.data,
    error.schema.filter((value) => typeof value === "string"),
  );
}

/** Foreign text in quotes, numbers as they were written, and no more than a line of it. */
function shownValue(error: ErrorObject, path: YamlPath, document: YamlDocument): string {
  const value: unknown = error.data;
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return shownFields(error, Object.keys(value));
  if (typeof value === "string") return JSON.stringify(oneLine(value, 80));
  return oneLine(document.sourceText(path) ?? JSON.stringify(value), 80);
}

function shownFields(error: ErrorObject, keys: readonly string[]): string {
  if (keys.length === 0) return "an empty mapping";
  if (!isChoice(error)) return "a mapping";
  const known = Object.keys(propertiesOf(error));
  const relevant = keys.filter((key) => branchFields(error).includes(key) || (known.length === 0 && keys.length <= 5));
  return relevant.length === 0 ? "none of them" : listOf(relevant.map((key) => oneLine(key, 80)));
}

function branchFields(error: ErrorObject): readonly string[] {
  if (!Array.isArray(error.schema)) return [];
  return error.schema.flatMap((branch) => [asSchema(branch)["required"]].flat()).filter((name) => typeof name === "string");
}

function propertiesOf(error: ErrorObject): JsonSchema {
  return asSchema(asSchema(error.parentSchema)["properties"]);
}

function asSchema(value: unknown): JsonSchema {
  return typeof value === "object" && value !== null ? (value as JsonSchema) : {};
}

/** JSON pointers do not tell list indexes from keys; the document does. */
function parsePointer(pointer: string, within: YamlPath, document: YamlDocument): YamlPath {
  const path: (string | number)[] = [...within];
  let value = within.reduce<unknown>(memberOf, document.value);
  for (const escaped of pointer === "" ? [] : pointer.slice(1).split("/")) {
    const part = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
    path.push(Array.isArray(value) ? Number(part) : part);
    value = memberOf(value, part);
  }
  return path;
}

function memberOf(value: unknown, key: string | number): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

/**
 * Generates `src/api/schema.ts` from the API's document. Operations that are announced, but not yet part of it, come from
 * `announced-api.json`; wherever the document defines something itself, the document counts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Adds what is missing. An operation, a parameter list or a schema's property that is there stays as it is. */
function addMissing(document, announced) {
  for (const [name, value] of Object.entries(announced)) {
    if (!(name in document)) document[name] = value;
    else if (isObject(document[name]) && isObject(value)) addMissing(document[name], value);
  }
}

const document = read("../../docs/openapi.json");
addMissing(document, read("../announced-api.json"));
const options = { rootTypes: true, rootTypesNoSchemaPrefix: true, enumValues: true, emptyObjectsUnknown: true };
const tree = await openapiTS(document, options);
writeFileSync(new URL("../src/api/schema.ts", import.meta.url), COMMENT_HEADER + astToString(tree));

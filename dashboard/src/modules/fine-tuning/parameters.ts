import { formatWords } from "@/components/format";

function toText(value: unknown): string {
  if (Array.isArray(value)) return value.map(toText).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Hyper-parameters by name, including those of the provider alone. */
export function parameterFacts(parameters: Readonly<Record<string, unknown>>): [string, string][] {
  const { extra, ...usual } = parameters;
  const all = { ...usual, ...(typeof extra === "object" ? extra : {}) };
  return Object.entries(all)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [formatWords(name), toText(value)]);
}

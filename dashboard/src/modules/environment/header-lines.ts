/** HTTP headers, typed as one line each. */

export interface ParsedHeaders {
  readonly values: Record<string, string>;
  /** What is wrong with the first line that cannot be read. */
  readonly error?: string;
}

const HEADER = /^\s*([^:\s]+):\s*(.*?)\s*$/;

/** Parses lines such as `X-Team: platform`. Empty lines are skipped. */
export function parseHeaderLines(text: string): ParsedHeaders {
  const values: Record<string, string> = {};
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, name, value = ""] = HEADER.exec(line) ?? [];
    if (name === undefined) return { values, error: `Line ${index + 1} must have the form Name: value.` };
    if (name in values) return { values, error: `Line ${index + 1} repeats the name ${name}.` };
    values[name] = value;
  }
  return { values };
}

export function describeHeaderLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}

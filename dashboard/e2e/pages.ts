import { readdirSync } from "node:fs";

const OUT = new URL("../out", import.meta.url).pathname;

/** Every page of the build. */
export const PATHS = readdirSync(OUT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.name === "index.html")
  .map((entry) => `${entry.parentPath.slice(OUT.length)}/`)
  .filter((path) => !/^\/(404|_not-found)\//.test(path))
  .sort();

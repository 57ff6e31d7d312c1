/** Prints the compressed size of the scripts that each page loads first, and fails if a page exceeds the limit. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";

const OUT = new URL("../out/", import.meta.url).pathname;
const LIMIT = 250 * 1024;

const sizes = new Map();
function size(path) {
  if (!sizes.has(path)) sizes.set(path, gzipSync(readFileSync(join(OUT, path))).length);
  return sizes.get(path);
}

const pages = readdirSync(OUT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.name === "index.html")
  .map((entry) => join(entry.parentPath, entry.name));
if (pages.length < 10) throw new Error(`only ${pages.length} pages in ${OUT}: is it built?`);

let over = false;
for (const page of pages.sort()) {
  const html = readFileSync(page, "utf8");
  // Browsers that support modules do not load scripts marked `nomodule`.
  const tags = [...html.matchAll(/<script[^>]*\ssrc="([^"]+)"[^>]*>/g)].filter(([tag]) => !/nomodule/i.test(tag));
  const scripts = new Set(tags.map(([, src]) => src.replace(/^\//, "").split("?")[0]));
  const total = [...scripts].reduce((sum, script) => sum + size(script), 0);
  if (scripts.size === 0) throw new Error(`${page} loads no script: the check looks for the wrong thing`);
  over ||= total > LIMIT;
  console.log(
    `${(total / 1024).toFixed(1).padStart(7)} KiB  /${relative(OUT, page).replace(/index\.html$/, "")}${total > LIMIT ? "  TOO LARGE" : ""}`,
  );
}
if (over) {
  console.error(`A page's first load is limited to ${LIMIT / 1024} KiB of compressed script.`);
  process.exitCode = 1;
}

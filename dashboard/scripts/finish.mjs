/**
 * Prepares the export for a strict content security policy: inline scripts become files, so that pages run scripts of
 * their own origin alone (`script-src 'self'`). It also stores a compressed copy of each file that gets smaller.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";

const OUT = new URL("../out/", import.meta.url).pathname;
const INLINE = /<script(?:\s+id="[^"]*")?>([\s\S]*?)<\/script>/g;
const SHRINKS = /\.(html|js|css|json|svg|txt)$/;

const files = readdirSync(OUT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));

/** Moves all inline scripts of a page to one file, at the position of the first: later scripts use their data. */
function moveOut(html) {
  const scripts = [...html.matchAll(INLINE)].map((match) => match[1]);
  if (scripts.length === 0) return html;
  const text = scripts.join(";\n");
  const name = `_next/static/inline/${createHash("sha256").update(text).digest("hex").slice(0, 20)}.js`;
  mkdirSync(join(OUT, "_next/static/inline"), { recursive: true });
  writeFileSync(join(OUT, name), text);
  files.push(join(OUT, name));
  let first = true;
  return html.replace(INLINE, () => {
    const here = first ? `<script src="/${name}" defer=""></script>` : "";
    first = false;
    return here;
  });
}

for (const file of files.filter((name) => name.endsWith(".html"))) {
  const html = moveOut(readFileSync(file, "utf8"));
  if (/<script(?![^>]*\ssrc=)/.test(html)) throw new Error(`${file} still has an inline script`);
  writeFileSync(file, html);
}
for (const file of new Set(files)) {
  if (!SHRINKS.test(file)) continue;
  const text = readFileSync(file);
  const small = gzipSync(text, { level: constants.Z_BEST_COMPRESSION });
  if (small.length < text.length) writeFileSync(`${file}.gz`, small);
  else rmSync(`${file}.gz`, { force: true });
}

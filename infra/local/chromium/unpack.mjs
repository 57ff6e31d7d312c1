/** Unpacks the Chromium that the package carries: the program, its libraries, and a script that starts it with them. */
import { execFileSync } from "node:child_process";
import { chmodSync, createReadStream, createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const [place] = process.argv.slice(2);
const packed = join(place, "node_modules/@sparticuz/chromium/bin");
const libraries = join(place, "lib");
mkdirSync(libraries, { recursive: true });

async function unpack(name, target) {
  await pipeline(createReadStream(join(packed, name)), createBrotliDecompress(), createWriteStream(target));
}

await unpack("chromium.br", join(place, "headless_shell"));
chmodSync(join(place, "headless_shell"), 0o755);
for (const [name, folder] of [["al2023.tar", place], ["swiftshader.tar", place]]) {
  const tar = join(place, name);
  await unpack(`${name}.br`, tar);
  execFileSync("tar", ["-xf", tar, "-C", folder]);
}
const start = `#!/bin/sh
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
# The machine's own libraries where it has them, else those of the package.
exec env LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib" "$here/headless_shell" "$@"
`;
writeFileSync(join(place, "chromium"), start, { mode: 0o755 });

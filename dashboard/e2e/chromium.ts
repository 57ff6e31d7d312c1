import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The environment of the browser: with the fonts that `make setup-test` has put under .local, and no others, so that pages
 * look the same everywhere and a machine without fonts will do.
 */
export function browserEnvironment(): Record<string, string> {
  const fonts = new URL("../../.local/fonts/fonts.conf", import.meta.url).pathname;
  if (!existsSync(fonts)) throw new Error("There are no fonts for the browser: run `make setup-test`.");
  const own = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return { ...Object.fromEntries(own), FONTCONFIG_FILE: fonts };
}

/** The browser: the one in CHROMIUM, else one of the machine's, else the one that `make setup-test` has put under .local. */
export function chromium(): string {
  const { CHROMIUM: given, PATH = "" } = process.env;
  if (given) return given;
  const own = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const fetched = new URL("../../.local/chromium/chromium", import.meta.url).pathname;
  const found = [...own, fetched].find(runs);
  if (!found) throw new Error("There is no Chromium: run `make setup-test`, or name one in CHROMIUM.");
  return found;
}

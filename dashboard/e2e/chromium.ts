import { accessSync, constants } from "node:fs";
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

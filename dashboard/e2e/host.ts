import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startIssuers } from "./issuers";

const ROOT = new URL("../..", import.meta.url).pathname;

/**
 * Starts the local host like `make up`, with a runner and the scripted model, in a temporary folder. Also starts the
 * issuers that people can log in at.
 */
export default async function start(): Promise<() => Promise<void>> {
  const local = mkdtempSync(join(tmpdir(), "ioc-e2e-"));
  // If we are root, PostgreSQL runs as another user.
  chmodSync(local, 0o711);
  const issuers = await startIssuers();
  const { DATABASE_URL: _database, REDIS_URL: _redis, ...environment } = process.env;
  const pages = join(ROOT, "dashboard/out");
  const options = ["up", "--port", "0", "--local", local, "--dashboard", pages, "--no-demo"];
  const host = spawn(join(ROOT, "target/debug/ioc"), options, {
    cwd: ROOT,
    env: { ...environment, IOC_MODEL: "scripted", OIDC_ISSUERS: JSON.stringify(issuers.settings) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(host, "exit");
  const said: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(host.stdout).on("line", (line) => {
      said.push(line);
      if (line.includes("Ctrl-C ends it")) resolve();
    });
    void ended.then(() => reject(new Error(`The host has ended:\n${said.join("\n")}`)));
  });
  await ready;
  const lines = readFileSync(join(local, "env"), "utf8").matchAll(/^export (\w+)=(.*)$/gm);
  for (const [, name, value] of lines) process.env[`E2E_${name}`] = value;
  process.env.E2E_LOCAL = local;
  process.env.E2E_LINK = said.join("\n").match(/http:\/\/\S+\/link\/\S+/)?.[0];
  issuers.serve(process.env.E2E_IOC_URL ?? "");
  return async () => {
    issuers.stop();
    host.kill("SIGINT");
    await ended;
    rmSync(local, { recursive: true, force: true });
  };
}

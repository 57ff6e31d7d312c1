import { defineConfig } from "@playwright/test";
import { browserEnvironment, chromium } from "./e2e/chromium";

export default defineConfig({
  testDir: "e2e",
  globalSetup: "./e2e/host.ts",
  outputDir: "test-results",
  fullyParallel: true,
  workers: 2,
  // A test that then passes is named as flaky, and is a fault to be mended (docs/adr/0026-repeated-tests.md).
  retries: 1,
  // As patient as the tests of the host: what has to come may take two minutes on a busy machine.
  timeout: 240_000,
  expect: { timeout: 20_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    viewport: { width: 1440, height: 900 },
    permissions: ["clipboard-read", "clipboard-write"],
    // The pages and the browser are ours; the sandbox asks for rights that containers often do not have.
    launchOptions: {
      executablePath: chromium(),
      env: browserEnvironment(),
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    },
    trace: "retain-on-failure",
  },
  projects: [
    { name: "e2e", testMatch: "*.e2e.ts" },
    { name: "figures", testMatch: "figures.ts", timeout: 900_000 },
    { name: "screenshots", testMatch: "screenshots.ts", timeout: 600_000 },
  ],
});

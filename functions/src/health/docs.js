// The page asks no host but this one: no proxy, no fonts, no telemetry, no assistant.
Scalar.createApiReference("#app", {
  url: "/openapi.json",
  agent: { disabled: true },
  defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
  defaultOpenAllTags: false,
  documentDownloadType: "json",
  hideClientButton: true,
  mcp: { disabled: true },
  persistAuth: false,
  proxyUrl: "",
  showDeveloperTools: "never",
  telemetry: false,
  withDefaultFonts: false,
});

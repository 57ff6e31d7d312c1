import type { NextConfig } from "next";

/** `next dev` proxies the API of a running `make up`. The export is served on the API's own origin. */
const proxied = process.env.NODE_ENV === "development";
const api = process.env.IOC_URL ?? "http://127.0.0.1:8000";

const config: NextConfig = {
  output: proxied ? undefined : "export",
  trailingSlash: true,
  skipTrailingSlashRedirect: proxied,
  reactStrictMode: true,
  devIndicators: false,
  // `npm run typecheck` checks the types, so that `make up` does not wait for it.
  typescript: { ignoreBuildErrors: true },
  ...(proxied && {
    rewrites: async () =>
      ["/api/:path*", "/ws/:path*", "/health", "/ready"].map((source) => ({ source, destination: `${api}${source}` })),
  }),
};

export default config;

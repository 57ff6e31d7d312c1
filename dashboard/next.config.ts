import type { NextConfig } from "next";

/** `next dev` hands the API on to a running `make up`; the export is served beside it, on the same origin. */
const proxied = process.env.NODE_ENV === "development";
const api = process.env.IOC_URL ?? "http://127.0.0.1:8000";

const config: NextConfig = {
  output: proxied ? undefined : "export",
  trailingSlash: true,
  skipTrailingSlashRedirect: proxied,
  reactStrictMode: true,
  devIndicators: false,
  // `npm run typecheck` does it once, with the tests; a start of `make up` does not wait for it.
  typescript: { ignoreBuildErrors: true },
  ...(proxied && {
    rewrites: async () =>
      ["/api/:path*", "/ws/:path*", "/health", "/ready"].map((source) => ({ source, destination: `${api}${source}` })),
  }),
};

export default config;

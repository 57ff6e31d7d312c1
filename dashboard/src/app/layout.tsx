import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { ApplicationRoot } from "@/modules/shell/application-root";
import "./globals.css";

export const metadata: Metadata = {
  title: "ioc",
  description: "The control plane for autonomous coding sessions.",
  icons: { icon: "/icon.svg" },
};

export const viewport: Viewport = { width: "device-width", initialScale: 1 };

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" data-theme="dark" suppressHydrationWarning>
      <head>
        {/* Not deferred: a page must not flash in the other theme. */}
        <script src="/theme.js" />
      </head>
      <body>
        <ApplicationRoot>{children}</ApplicationRoot>
      </body>
    </html>
  );
}

import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { SessionRoute } from "./session-loader";

export const metadata = { title: "Session · ioc" };

export default function SessionPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <SessionRoute />
    </Suspense>
  );
}

import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { EnvironmentRoute } from "./environment-loader";

export const metadata = { title: "Environment · ioc" };

export default function EnvironmentPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <EnvironmentRoute />
    </Suspense>
  );
}

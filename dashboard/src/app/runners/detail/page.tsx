import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { RunnerRoute } from "./runner-loader";

export const metadata = { title: "Runner · ioc" };

export default function RunnerPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <RunnerRoute />
    </Suspense>
  );
}

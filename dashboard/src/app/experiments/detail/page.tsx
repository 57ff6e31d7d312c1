import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { ExperimentRoute } from "./experiment-loader";

export const metadata = { title: "Experiment · ioc" };

export default function ExperimentPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <ExperimentRoute />
    </Suspense>
  );
}

import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { TrainingJobRoute } from "./training-job-loader";

export const metadata = { title: "Fine-tuning job · ioc" };

export default function TrainingJobPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <TrainingJobRoute />
    </Suspense>
  );
}

import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { TrainingJobListLoader } from "./training-job-list-loader";

export const metadata = { title: "Fine-tuning · ioc" };

export default function TrainingJobListPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <TrainingJobListLoader />
    </Suspense>
  );
}

import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { ModelListLoader } from "./model-list-loader";

export const metadata = { title: "Model registry · ioc" };

export default function ModelListPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <ModelListLoader />
    </Suspense>
  );
}

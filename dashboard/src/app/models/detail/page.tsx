import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { ModelRoute } from "./model-loader";

export const metadata = { title: "Model · ioc" };

export default function ModelPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <ModelRoute />
    </Suspense>
  );
}

import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { EditEnvironmentRoute } from "./edit-environment-loader";

export const metadata = { title: "Edit environment · ioc" };

export default function EditEnvironmentPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <EditEnvironmentRoute />
    </Suspense>
  );
}

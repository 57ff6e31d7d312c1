import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { SessionListLoader } from "./session-list-loader";

export const metadata = { title: "Sessions · ioc" };

export default function SessionListPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <SessionListLoader />
    </Suspense>
  );
}

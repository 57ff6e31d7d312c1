import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { NewSessionLoader } from "./new-session-loader";

export const metadata = { title: "New session · ioc" };

export default function NewSessionPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <NewSessionLoader />
    </Suspense>
  );
}

import { Suspense } from "react";
import { Loading } from "@/components/states";
import { NewSessionForm } from "./form";

export const metadata = { title: "New session · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <NewSessionForm />
    </Suspense>
  );
}

import { NewTrainingForm } from "./form";

export const metadata = { title: "New job · ioc" };

export default function Page() {
  return <NewTrainingForm />;
}

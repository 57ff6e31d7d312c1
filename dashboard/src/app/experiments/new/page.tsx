import { NewExperimentForm } from "./form";

export const metadata = { title: "New experiment · ioc" };

export default function Page() {
  return <NewExperimentForm />;
}

import { NewExperimentLoader } from "./new-experiment-loader";

export const metadata = { title: "New experiment · ioc" };

export default function NewExperimentPage() {
  return <NewExperimentLoader />;
}

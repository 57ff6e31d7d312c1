import { NewTrainingJobLoader } from "./new-training-job-loader";

export const metadata = { title: "New fine-tuning job · ioc" };

export default function NewTrainingJobPage() {
  return <NewTrainingJobLoader />;
}

import { NewEnvironmentLoader } from "./new-environment-loader";

export const metadata = { title: "New environment · ioc" };

export default function NewEnvironmentPage() {
  return <NewEnvironmentLoader />;
}

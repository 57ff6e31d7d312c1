import { EnvironmentListLoader } from "./environment-list-loader";

export const metadata = { title: "Environments · ioc" };

export default function EnvironmentListPage() {
  return <EnvironmentListLoader />;
}

import { SecretListLoader } from "./secret-list-loader";

export const metadata = { title: "Secrets · ioc" };

export default function SecretListPage() {
  return <SecretListLoader />;
}

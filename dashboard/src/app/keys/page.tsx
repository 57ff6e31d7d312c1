import { ApiKeyListLoader } from "./api-key-list-loader";

export const metadata = { title: "API keys · ioc" };

export default function ApiKeyListPage() {
  return <ApiKeyListLoader />;
}

import { AgentListLoader } from "./agent-list-loader";

export const metadata = { title: "Agents · ioc" };

export default function AgentListPage() {
  return <AgentListLoader />;
}

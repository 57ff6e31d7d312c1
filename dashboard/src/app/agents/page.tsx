import { Agents } from "./agents";

export const metadata = { title: "Agents · ioc" };

export default function Page() {
  return <Agents />;
}

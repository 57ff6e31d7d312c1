import { MemberListLoader } from "./member-list-loader";

export const metadata = { title: "Members · ioc" };

export default function MemberListPage() {
  return <MemberListLoader />;
}

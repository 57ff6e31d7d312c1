import { AuditLogLoader } from "./audit-log-loader";

export const metadata = { title: "Audit log · ioc" };

export default function AuditLogPage() {
  return <AuditLogLoader />;
}

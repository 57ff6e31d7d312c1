import Link from "next/link";
import { EmptyState } from "@/components/content-states";

export default function NotFoundPage() {
  return (
    <EmptyState title="There is no such page.">
      <Link href="/" className="underline">
        To the overview
      </Link>
    </EmptyState>
  );
}

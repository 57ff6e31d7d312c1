import Link from "next/link";
import { Empty } from "@/components/states";

export default function NotFound() {
  return (
    <Empty title="There is no such page.">
      <Link href="/" className="underline">
        To the overview
      </Link>
    </Empty>
  );
}

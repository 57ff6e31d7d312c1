import { Notice } from "@/components/notice";

/** What is to be minded of a version, such as that its base model retires. */
export function Warnings({ warnings }: { warnings: readonly string[] }) {
  if (warnings.length === 0) return null;
  return (
    <Notice warns label="To be minded">
      {[...new Set(warnings)].map((warning) => (
        <p key={warning}>{warning}</p>
      ))}
    </Notice>
  );
}

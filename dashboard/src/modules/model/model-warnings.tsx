import { NoticeBox } from "@/components/notice-box";

/** Warnings about a version, such as that its base model retires. */
export function ModelWarnings({ warnings }: { warnings: readonly string[] }) {
  if (warnings.length === 0) return null;
  return (
    <NoticeBox warns label="Warnings">
      {[...new Set(warnings)].map((warning) => (
        <p key={warning}>{warning}</p>
      ))}
    </NoticeBox>
  );
}

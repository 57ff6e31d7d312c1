import type { DiffLine } from "./diff";

const TINTS = {
  added: "bg-good/12",
  removed: "bg-danger/12",
  hunk: "bg-raised text-muted",
  same: "",
  note: "text-muted italic",
} as const;
const SIGNS = { added: "+", removed: "-", hunk: " ", same: " ", note: " " } as const;

/** The lines of a change, with their numbers before and after it. */
export function PatchTable({ lines }: { lines: readonly DiffLine[] }) {
  return (
    <table className="figure w-full border-collapse text-xs leading-5">
      <tbody>
        {lines.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a patch never change
          <tr key={index} className={TINTS[line.kind]}>
            <td className="w-10 px-2 text-right text-muted select-none">{line.before}</td>
            <td className="w-10 px-2 text-right text-muted select-none">{line.after}</td>
            <td className="w-4 text-center select-none">{SIGNS[line.kind]}</td>
            <td className="pr-4 whitespace-pre">{line.text}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

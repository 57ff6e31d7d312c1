"use client";

import { Check, X } from "lucide-react";
import { useCompared } from "@/api/queries/models";
import type { ComparedMetric } from "@/api/schema";
import { IconButton } from "@/components/button";
import { cx } from "@/components/class-names";
import { words } from "@/components/format";
import { Panel } from "@/components/page";
import { Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Warnings } from "@/modules/model/warnings";

const figure = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const shown = (value: number | null | undefined) =>
  value == null ? "–" : figure.format(value).replaceAll(",", "\u202f");

function text(value: unknown): string {
  return value == null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function Metric({ metric, a, b, better, difference }: ComparedMetric) {
  const cell = (value: number | null | undefined, best: boolean) => (
    <Td className={cx("figure text-right text-xs", best && "font-semibold")}>
      {best && <Check aria-label="better" className="mr-1 inline size-3.5 text-good" />}
      {shown(value)}
    </Td>
  );
  return (
    <Tr>
      <Td>{words(metric)}</Td>
      {cell(a, better === "a")}
      {cell(b, better === "b")}
      <Td className="figure text-right text-xs text-muted">
        {difference == null ? "–" : `${difference > 0 ? "+" : ""}${shown(difference)}`}
      </Td>
    </Tr>
  );
}

/** Two versions side by side: their figures, which is the better one, and what else differs. */
export function Compare({ name, a, b, onClose }: { name: string; a: string; b: string; onClose(): void }) {
  const compared = useCompared(name, a, b);
  return (
    <Panel
      title={`${a} and ${b}`}
      actions={
        <IconButton label="Close the comparison" onClick={onClose}>
          <X aria-hidden className="size-4" />
        </IconButton>
      }
    >
      {compared.isPending ? (
        <Loading />
      ) : !compared.data ? (
        <Failure error={compared.error} retry={() => void compared.refetch()} />
      ) : (
        <>
          {compared.data.warnings.length > 0 && (
            <div className="p-3 pb-0">
              <Warnings warnings={compared.data.warnings} />
            </div>
          )}
          <Table
            label="Figures side by side"
            head={
              <>
                <Th>Figure</Th>
                <Th className="text-right">{compared.data.a.version}</Th>
                <Th className="text-right">{compared.data.b.version}</Th>
                <Th className="text-right">Difference</Th>
              </>
            }
          >
            {compared.data.metrics.map((one) => (
              <Metric key={one.metric} {...one} />
            ))}
          </Table>
          {compared.data.differs.length > 0 ? (
            <div className="border-t border-line">
              <Table
                label="What else differs"
                head={
                  <>
                    <Th>What differs</Th>
                    <Th>{compared.data.a.version}</Th>
                    <Th>{compared.data.b.version}</Th>
                  </>
                }
              >
                {compared.data.differs.map((one) => (
                  <Tr key={one.field}>
                    <Td>{words(one.field)}</Td>
                    <Td className="figure text-xs break-all">{text(one.a)}</Td>
                    <Td className="figure text-xs break-all">{text(one.b)}</Td>
                  </Tr>
                ))}
              </Table>
            </div>
          ) : (
            <p className="border-t border-line p-3 text-[0.8125rem] text-muted">
              Nothing else differs: base model, dataset, provider and parameters are the same.
            </p>
          )}
        </>
      )}
    </Panel>
  );
}

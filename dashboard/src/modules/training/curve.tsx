"use client";

import { useCurve } from "@/api/queries/training";
import type { Point } from "@/api/schema";
import { LineChart, type Series } from "@/components/line-chart";
import { Empty, Failure, Loading } from "@/components/states";

/** The lines of a curve: what it lost in training, and where it was measured what it lost on what was held out. */
export function lines(points: readonly Point[]): Series[] {
  return [
    { name: "Training loss", colour: "var(--accent)", points: points.map(({ step, loss }) => ({ x: step, y: loss })) },
    {
      name: "Held-out loss",
      colour: "var(--warning)",
      dashed: true,
      points: points.flatMap(({ step, eval_loss }) => (eval_loss == null ? [] : [{ x: step, y: eval_loss }])),
    },
  ];
}

const show = (loss: number) => loss.toFixed(4);

/** In a sentence, where a curve begins and where it has come to. */
export function told(points: readonly Point[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return "No loss is known yet.";
  const held = points.findLast((point) => point.eval_loss != null);
  return [
    `The training loss went from ${show(first.loss)} at step ${first.step} to ${show(last.loss)} at step ${last.step}.`,
    held?.eval_loss != null && `On what was held out it is ${show(held.eval_loss)} at step ${held.step}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

export function TrainingCurve({ id, underWay }: { id: string; underWay: boolean }) {
  const curve = useCurve(id, underWay);
  if (curve.isPending) return <Loading />;
  if (!curve.data) return <Failure error={curve.error} retry={() => void curve.refetch()} />;
  const { items } = curve.data;
  if (items.length === 0)
    return (
      <Empty title={underWay ? "There is no curve yet." : "There is no curve."}>
        It begins when the provider tells of a first step.
      </Empty>
    );
  return <LineChart label={told(items)} unit="Step" series={lines(items)} show={show} />;
}

"use client";

import type { Point } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { LineChart, type LineSeries } from "@/components/line-chart";

/** The lines of a loss curve: the training loss, and the loss on held-out samples where it was measured. */
export function lossSeries(points: readonly Point[]): LineSeries[] {
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

const formatLoss = (loss: number) => loss.toFixed(4);

/** Describes a curve in a sentence: its first and its latest values. */
export function describeCurve(points: readonly Point[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return "No loss is known yet.";
  const held = points.findLast((point) => point.eval_loss != null);
  return [
    `The training loss went from ${formatLoss(first.loss)} at step ${first.step} to ${formatLoss(last.loss)} at step ${last.step}.`,
    held?.eval_loss != null && `The held-out loss is ${formatLoss(held.eval_loss)} at step ${held.step}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

export function TrainingCurve({ points, unfinished }: { points: readonly Point[]; unfinished: boolean }) {
  if (points.length === 0)
    return (
      <EmptyState title={unfinished ? "There is no curve yet." : "There is no curve."}>
        The curve begins when the provider reports its first step.
      </EmptyState>
    );
  return <LineChart label={describeCurve(points)} unit="Step" series={lossSeries(points)} show={formatLoss} />;
}

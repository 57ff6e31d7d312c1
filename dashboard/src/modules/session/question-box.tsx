"use client";

import { CircleHelp, KeyRound, ShieldQuestion } from "lucide-react";
import { type FormEvent, useState } from "react";
import { sessionCalls, sessionKeys } from "@/api/queries/sessions";
import type { Answer, Question } from "@/api/schema";
import { Button } from "@/components/button";
import { cx } from "@/components/class-names";
import { useAct } from "@/hooks/use-act";

const ICONS = { approval: ShieldQuestion, input: CircleHelp, auth: KeyRound } as const;

/** The question that a session is paused with, and the ways to answer it. */
export function QuestionBox({ id, question, mayWrite }: { id: string; question: Question; mayWrite: boolean }) {
  const [text, setText] = useState("");
  const answer = useAct(
    (answer: Omit<Answer, "question_id">) => sessionCalls.answer(id, { question_id: question.question_id, ...answer }),
    {
      renews: [sessionKeys.all],
      done: "Answered: the agent goes on.",
    },
  );
  const Icon = ICONS[question.kind];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    answer.mutate({ text: text.trim() });
  };
  const details = Object.keys(question.details ?? {}).length > 0 ? JSON.stringify(question.details, null, 2) : null;
  return (
    <section aria-label="Question" className="panel border-warning/60 bg-warning-soft p-3">
      <div className="flex gap-2.5">
        <Icon aria-hidden className="mt-0.5 size-5 shrink-0 text-warning" />
        <div className="min-w-0 flex-1">
          <p className="label text-text">{question.kind === "approval" ? "It asks for your approval" : "It asks"}</p>
          <p className="mt-0.5 font-medium break-words whitespace-pre-wrap">{question.text}</p>
          {details && (
            <details className="mt-1 text-xs">
              <summary className="text-muted">Details</summary>
              <pre className="figure mt-1 max-h-48 overflow-auto whitespace-pre-wrap">{details}</pre>
            </details>
          )}
          {mayWrite && (
            <div className="mt-3 flex flex-col gap-2.5">
              {question.kind === "approval" && (
                <div className="flex gap-2">
                  <Button look="primary" busy={answer.isPending} onClick={() => answer.mutate({ decision: "approve" })}>
                    Approve
                  </Button>
                  <Button look="danger" disabled={answer.isPending} onClick={() => answer.mutate({ decision: "deny" })}>
                    Deny
                  </Button>
                </div>
              )}
              {question.options && question.options.length > 0 && (
                <div className="flex flex-wrap gap-2">
                  {question.options.map((option) => (
                    <button
                      key={option.label}
                      type="button"
                      disabled={answer.isPending}
                      onClick={() => answer.mutate({ choices: [option.label] })}
                      className="rounded-md border border-line-strong bg-surface px-3 py-1.5 text-left hover:border-accent disabled:opacity-55"
                    >
                      <span className="block text-[0.8125rem] font-medium">{option.label}</span>
                      {option.description && <span className="block text-xs text-muted">{option.description}</span>}
                    </button>
                  ))}
                </div>
              )}
              {question.kind !== "approval" && (
                <form onSubmit={submit} className="flex gap-2">
                  <input
                    aria-label="Your answer"
                    placeholder={question.options?.length ? "Or answer in your own words" : "Your answer"}
                    required
                    maxLength={10000}
                    value={text}
                    onChange={(event) => setText(event.target.value)}
                    className={cx("field min-w-0")}
                  />
                  <Button type="submit" look="primary" busy={answer.isPending}>
                    Answer
                  </Button>
                </form>
              )}
            </div>
          )}
        </div>
      </div>
    </section>
  );
}

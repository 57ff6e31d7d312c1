"use client";

import { CircleHelp, GitFork, KeyRound, ShieldQuestion } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Answer, Question } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { revealHiddenCharacters } from "@/components/hidden-characters";
import { useAction } from "@/hooks/use-action";
import { sessionCalls, sessionKeys } from "@/queries/sessions";
import { ApprovalDetails } from "./approval-details";

const ICONS = { approval: ShieldQuestion, input: CircleHelp, auth: KeyRound, sessions: GitFork } as const;
const LABELS = {
  approval: "Approval needed",
  input: "Question",
  auth: "Question",
  sessions: "Waits for sessions",
} as const;

interface QuestionBoxProps {
  id: string;
  question: Question;
  mayWrite: boolean;
}

/** The question that a session waits for, and the controls to answer it. */
export function QuestionBox({ id, question, mayWrite }: QuestionBoxProps) {
  const Icon = ICONS[question.kind];
  return (
    <section aria-label="Question" className="panel border-warning/60 bg-warning-soft p-3">
      <div className="flex gap-2.5">
        <Icon aria-hidden className="mt-0.5 size-5 shrink-0 text-warning" />
        <div className="min-w-0 flex-1">
          <p className="label text-text">{LABELS[question.kind]}</p>
          <p className="mt-0.5 font-medium break-words whitespace-pre-wrap">{revealHiddenCharacters(question.text)}</p>
          <QuestionDetails question={question} />
          {mayWrite && <AnswerControls id={id} question={question} />}
        </div>
      </div>
    </section>
  );
}

function QuestionDetails({ question: { kind, details } }: Pick<QuestionBoxProps, "question">) {
  if (!details || Object.keys(details).length === 0) return null;
  if (kind === "approval") return <ApprovalDetails details={details} />;
  return (
    <details className="mt-1 text-xs">
      <summary className="text-muted">Details</summary>
      <pre className="figure mt-1 max-h-48 overflow-auto whitespace-pre-wrap">{JSON.stringify(details, null, 2)}</pre>
    </details>
  );
}

type AnswerContent = Omit<Answer, "question_id">;

interface AnswerPartProps {
  busy: boolean;
  onAnswer(answer: AnswerContent): void;
}

function AnswerControls({ id, question }: Omit<QuestionBoxProps, "mayWrite">) {
  const answer = useAction(
    (answer: AnswerContent) => sessionCalls.answer(id, { question_id: question.question_id, ...answer }),
    { invalidates: [sessionKeys.all], successMessage: "The answer was sent. The agent continues." },
  );
  const part = { busy: answer.isPending, onAnswer: answer.mutate };
  const options = question.options ?? [];
  return (
    <div className="mt-3 flex flex-col gap-2.5">
      {question.kind === "approval" && <ApprovalButtons {...part} />}
      {options.length > 0 && (
        <div className="flex flex-wrap gap-2">
          {options.map((option) => (
            <button
              key={option.label}
              type="button"
              disabled={part.busy}
              onClick={() => part.onAnswer({ choices: [option.label] })}
              className="rounded-md border border-line-strong bg-surface px-3 py-1.5 text-left hover:border-accent disabled:opacity-55"
            >
              <span className="block text-[0.8125rem] font-medium">{option.label}</span>
              {option.description && <span className="block text-xs text-muted">{option.description}</span>}
            </button>
          ))}
        </div>
      )}
      {question.kind !== "approval" && <AnswerForm placeholder={placeholderFor(question)} {...part} />}
    </div>
  );
}

function placeholderFor({ kind, options }: Question) {
  if (kind === "sessions") return "End the wait with a message to the agent";
  return (options ?? []).length > 0 ? "Or answer in your own words" : "Your answer";
}

function ApprovalButtons({ busy, onAnswer }: AnswerPartProps) {
  return (
    <div className="flex gap-2">
      <ActionButton look="primary" busy={busy} onClick={() => onAnswer({ decision: "approve" })}>
        Approve
      </ActionButton>
      <ActionButton look="danger" disabled={busy} onClick={() => onAnswer({ decision: "deny" })}>
        Deny
      </ActionButton>
    </div>
  );
}

function AnswerForm({ placeholder, busy, onAnswer }: AnswerPartProps & { placeholder: string }) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onAnswer({ text: text.trim() });
  };
  return (
    <form onSubmit={submit} className="flex gap-2">
      <input
        aria-label="Your answer"
        placeholder={placeholder}
        required
        maxLength={100000}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className="field min-w-0"
      />
      <ActionButton type="submit" look="primary" busy={busy}>
        Answer
      </ActionButton>
    </form>
  );
}

/** The logo. */
export function ProductMark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className={className} fill="none" stroke="currentColor">
      <circle cx="16" cy="16" r="11" strokeWidth="2.5" strokeDasharray="52 17" strokeLinecap="round" />
      <circle cx="16" cy="16" r="4" fill="currentColor" stroke="none" />
    </svg>
  );
}

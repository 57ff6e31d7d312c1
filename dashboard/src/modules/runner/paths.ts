export function runnerPath(id: string): string {
  return `/runners/detail/?${new URLSearchParams({ id })}`;
}

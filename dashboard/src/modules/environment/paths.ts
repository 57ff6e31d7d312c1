/** The address of an environment, and of one of its versions. */
export function environmentPath(id: string, version?: number): string {
  const query = new URLSearchParams({ id, ...(version !== undefined && { version: String(version) }) });
  return `/environments/detail/?${query}`;
}

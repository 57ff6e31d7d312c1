/** A value as one word of a shell's command: unchanged if no shell would read anything in it, quoted otherwise. */
export function quoteShellWord(value: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

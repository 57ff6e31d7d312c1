/** The properties of an editor for a list of drafts. */
export interface EditableListProps<Draft> {
  items: readonly Draft[];
  onChange(items: Draft[]): void;
}

interface Keyed {
  readonly key: number;
}

export function updateItem<Draft extends Keyed>(items: readonly Draft[], key: number, patch: Partial<Draft>): Draft[] {
  return items.map((item) => (item.key === key ? { ...item, ...patch } : item));
}

export function removeItem<Draft extends Keyed>(items: readonly Draft[], key: number): Draft[] {
  return items.filter((item) => item.key !== key);
}

export function nextKey(items: readonly Keyed[]): number {
  return Math.max(0, ...items.map((item) => item.key)) + 1;
}

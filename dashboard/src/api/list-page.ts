/** A page of a list, as every list endpoint returns it. */
export interface ListPage<Item> {
  items: Item[];
  next_cursor?: string | null;
}

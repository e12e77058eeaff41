/** What stands in place of the table of `ps`. */

import type { Json } from './command.ts';

/** One task in both forms; the JSON members join those of the table. */
export interface Detail {
  readonly lines: readonly string[];
  readonly json: { readonly [member: string]: Json };
}

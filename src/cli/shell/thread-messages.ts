/** What the shell at a terminal and the thread that answers for it say to each other. */

import type { Context } from '../../analyze/command.ts';
import type { FileIdentity } from '../file-identity.ts';
import type { Settings } from '../handlers.ts';
import type { InputFlags } from '../input-options.ts';
import type { Completions } from './complete.ts';

/** What the thread is born with. */
export interface ThreadStart {
  readonly file: string;
  readonly flags: InputFlags;
  readonly identity: FileIdentity;
  readonly settings: Settings;
  readonly colour: boolean;
  readonly width: number | undefined;
}

export type ToThread =
  | { readonly ask: readonly string[]; readonly context: Context }
  | { readonly complete: string; readonly context: Context }
  | Written;

/** Answers `write` and `end`. */
export interface Written {
  /** Does anybody still read. */
  readonly isRead: boolean;
  /** Of who read it, at its end. */
  readonly status: number;
}

export type FromThread =
  | { readonly open: 'finite' | 'endless' }
  | { readonly write: string }
  | { readonly end: true }
  /** The dump cannot be opened: what it says next is the last. */
  | { readonly gone: true }
  | { readonly out: string }
  | { readonly err: string }
  | { readonly status: number; readonly context: Context }
  | { readonly completions: Completions };

/** The exit statuses of every command; `docs/reference/exit-status.md` explains them. */

import { DumpError, type ErrorCode } from '../bytes/errors.ts';

export const exitStatus = {
  done: 0,
  /** A gate, a check or a capture answered no. */
  no: 1,
  usage: 2,
  unsupported: 3,
  corrupt: 4,
  absent: 5,
  io: 6,
  /** An error in a script of the user's. */
  script: 7,
  bug: 70,
} as const;

const ofCode: Readonly<Record<ErrorCode, number>> = {
  usage: exitStatus.usage,
  unsupported: exitStatus.unsupported,
  corrupt: exitStatus.corrupt,
  truncated: exitStatus.corrupt,
  absent: exitStatus.absent,
  excluded: exitStatus.absent,
  mismatch: exitStatus.absent,
  io: exitStatus.io,
};

export function exitStatusOf(error: unknown): number {
  return error instanceof DumpError ? ofCode[error.code] : exitStatus.bug;
}

/** For the manual. */
export const exitStatusTable: readonly (readonly [status: string, meaning: string])[] = [
  ['0', 'done; a partial answer says so on standard error'],
  [
    '1',
    'the answer is no: a capture whose verdict is not the one expected, a file that is no ' +
      'scenario, a dump that is not whole, or that `repair` finds something wrong with, a bound ' +
      'of `compare --require` that is not shown, a method that got worse than `--baseline`',
  ],
  ['2', 'usage: the command line makes no sense'],
  ['3', 'unsupported: no dump, or of a kind that cannot be read'],
  ['4', 'corrupt or truncated: the dump contradicts itself or ends too early'],
  ['5', 'absent, excluded or mismatch: the dump does not hold what was asked for'],
  ['6', 'io: the operating system refused'],
  ['7', 'script: the script of --script is wrong; its own stack says where'],
  ['70', 'a bug of tsdump'],
  ['128+n', 'ended by signal n'],
];

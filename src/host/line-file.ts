/**
 * A file that grows by lines, for results that must survive whatever ends the program: a line is
 * one write, and a line that was cut is known by its missing end.
 */

import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';
import { encodeUtf8 } from '../bytes/text.ts';

export interface LineFile {
  add(line: string): void;
  /** Makes durable what was added. */
  close(): void;
}

/** `keep`: bytes of a file that is gone on with; undefined: there must be none of that name. */
export function lineFile(path: string, keep?: number): LineFile {
  const attempt = <T>(what: string, action: () => T): T => {
    try {
      return action();
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
      throw new DumpError('io', `${what}: ${code}`, { where: { file: path }, cause });
    }
  };
  const flags = keep === undefined ? 'ax' : 'a';
  const file = attempt('cannot be created', () => openSync(path, flags));
  if (keep !== undefined) attempt('cannot be cut', () => ftruncateSync(file, keep));
  return {
    add(line) {
      const bytes = encodeUtf8(`${line}\n`);
      const written = attempt('cannot be written', () => writeSync(file, bytes));
      if (written === bytes.length) return;
      throw new DumpError('io', 'cannot be written: no space is left', { where: { file: path } });
    },
    close() {
      attempt('cannot be made durable', () => fsyncSync(file));
      closeSync(file);
    },
  };
}

/** What the command line lends to the rooms below, and the files that it opens for them. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { type OpenOptions, openDump } from '../dump/open.ts';
import type { Dump } from '../dump/types.ts';
import { fileSource } from '../host/file-source.ts';
import { nodeWorld } from '../host/world.ts';

/** What comes along with the package. */
export const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url));
const scenarios = join(fixtures, 'scenarios');

export const world = nodeWorld();

/** What is said of a file that does not say it itself. */
export type FileOptions = Pick<OpenOptions, 'format' | 'ranges'>;

/** Opens a dump file. Throws DumpErrors. */
export async function openFile(path: string, options: FileOptions = {}): Promise<Dump> {
  return openDump(fileSource(path), { ...world, ...options });
}

/** The scenarios that come along, by name. */
export function scenarioNames(): readonly string[] {
  return namesIn(scenarios, '.yaml');
}

/** The file of a scenario that comes along, or the file that was named. Throws `usage`. */
export function scenarioFile(name: string): string {
  if (/[/\\]|\.ya?ml$/.test(name)) return name;
  const known = scenarioNames();
  if (known.includes(name)) return join(scenarios, `${name}.yaml`);
  throw new DumpError('usage', `there is no scenario "${name}"${suggestion(name, known)}`, {
    hint: '`tsdump scenario list` lists them; a file of your own ends in .yaml',
  });
}

/** Bytes; the longest text file that comes along has a hundredth of that. */
const maxText = 16 * 1024 * 1024;

/** A text file. Throws `io`, and `unsupported` for what cannot be one: a device, a huge file. */
export function readText(file: string): string {
  try {
    const stat = statSync(file);
    if (!stat.isFile() && !stat.isDirectory()) {
      throw new DumpError('unsupported', 'is not a regular file', { where: { file } });
    }
    if (stat.size > maxText) {
      throw new DumpError('unsupported', 'too long for a text file', { where: { file } });
    }
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof DumpError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DumpError('io', `cannot be read: ${code}`, {
      where: { file },
      hint: code === 'ENOENT' ? 'check the name' : undefined,
      cause,
    });
  }
}

/** The files of a folder with this extension, without it; none where there is no such folder. */
export function namesIn(folder: string, extension: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(extension))
    .map((file) => file.slice(0, -extension.length))
    .sort();
}

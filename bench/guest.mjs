/**
 * Dumps of real guests, made by fixtures/build/crowd.ts and kept in the folder for temporary files:
 * gigabytes, of which git is to know nothing.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pathOf } from './peers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(tmpdir(), 'tsdump-bench');

/** With 1,000 processes; half of its memory is in use, a quarter of that by the kernel. */
export const large = {
  title: '4 GB guest',
  words: ['--memory', '4096', '--tasks', '1000', '--fill', '700', '--ram', '700'],
};
export const middling = {
  title: '1 GB guest',
  words: ['--memory', '1024', '--tasks', '200', '--fill', '250', '--ram', '250'],
};

/** The path of a guest's dump; undefined, said loudly, where this machine cannot make it. */
export function guestDump({ title, words }) {
  const sources = ['fixtures/build/crowd.ts', 'fixtures/build/guest/crowd'];
  const digest = createHash('sha256');
  for (const name of sources) digest.update(readFileSync(join(root, name)));
  digest.update(words.join(' '));
  const path = join(folder, `crowd-${digest.digest('hex').slice(0, 12)}.kdump`);
  if (existsSync(path)) return path;
  if (pathOf('qemu-system-x86_64') === undefined) {
    console.log(`SKIPPED: no ${title}: qemu-system-x86_64 is not here`);
    return undefined;
  }
  mkdirSync(folder, { recursive: true });
  console.log(`Making the dump of a ${title}: a minute or two`);
  const part = `${path}.part`;
  const builder = ['dist-fixtures/fixtures/build/crowd.js', part, ...words];
  const isMade =
    runs('npx', ['tsc', '-p', 'tsconfig.fixtures.json']) && runs(process.execPath, builder);
  if (!isMade) {
    console.log(`SKIPPED: no ${title}: its builder failed`);
    return undefined;
  }
  renameSync(part, path);
  return path;
}

function runs(program, words) {
  return spawnSync(program, words, { cwd: root, stdio: 'inherit' }).status === 0;
}

/**
 * The dump of a real guest with 4 GB and 1,000 processes, made by fixtures/build/crowd.ts and kept
 * in the folder for temporary files: some 500 MB, of which git is to know nothing.
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

/** The dump's path; undefined, said loudly, where this machine cannot make it. */
export function crowdedGuest() {
  const sources = ['fixtures/build/crowd.ts', 'fixtures/build/guest/crowd'];
  const digest = createHash('sha256');
  for (const name of sources) digest.update(readFileSync(join(root, name)));
  const path = join(folder, `crowd-${digest.digest('hex').slice(0, 12)}.kdump`);
  if (existsSync(path)) return path;
  if (pathOf('qemu-system-x86_64') === undefined) {
    console.log('SKIPPED: no guest of 4 GB: qemu-system-x86_64 is not here');
    return undefined;
  }
  mkdirSync(folder, { recursive: true });
  console.log('Making the dump of a guest of 4 GB: a minute or two');
  const part = `${path}.part`;
  const isMade =
    runs('npx', ['tsc', '-p', 'tsconfig.fixtures.json']) &&
    runs(process.execPath, ['dist-fixtures/fixtures/build/crowd.js', part]);
  if (!isMade) {
    console.log('SKIPPED: no guest of 4 GB: its builder failed');
    return undefined;
  }
  renameSync(part, path);
  return path;
}

function runs(program, words) {
  return spawnSync(program, words, { cwd: root, stdio: 'inherit' }).status === 0;
}

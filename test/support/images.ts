/** The real vmcores of this machine, if it has them. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const directory = process.env['TSDUMP_IMAGES'] ?? join(root, '../shared/images');

/** The path, or undefined with a loud word. */
export function findImage(name: string): string | undefined {
  const path = join(directory, name);
  if (existsSync(path)) return path;
  console.warn(`skipped: ${path} is not here (set TSDUMP_IMAGES)`);
  return undefined;
}

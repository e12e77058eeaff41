/**
 * What the examples of a help print, from the page that `npm run man` made of them. It is read when
 * somebody asks for a help, and not before.
 */

import { existsSync, readFileSync } from 'node:fs';

const page = new URL('../../docs/reference/commands.md', import.meta.url);

let outputs: ReadonlyMap<string, readonly string[]> | undefined;

/** Lines of `tsdump analyze vmcore ps -u`, cut to a few; none where nobody ran it. */
export function outputOf(command: string): readonly string[] {
  outputs ??= existsSync(page) ? outputsIn(readFileSync(page, 'utf8')) : new Map();
  return outputs.get(command) ?? [];
}

/** Every `$ ...` in a console block, with the lines below it. */
function outputsIn(text: string): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const [, block] of text.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const part of block!.trimEnd().split(/^\$ /m).slice(1)) {
      const [command, ...lines] = part.trimEnd().split('\n');
      found.set(command!, lines);
    }
  }
  return found;
}

/** The part of the command line that is about dump files as such: `info`, `check`. */

import type { Command } from 'commander';
import { addExamples } from './examples.ts';
import type { Handlers, Settings } from './handlers.ts';
import { addInputOptions, type InputFlags, inputFlagsOf } from './input-options.ts';

const filesText = 'dump files; the parts of a split dump together are one';

export function addInfo(program: Command, handlers: Handlers, settings: () => Settings): void {
  const node = program
    .command('info')
    .summary('what a dump is: kernel, panic, format, debug package, what it lacks')
    .description(
      'Says of each FILE whose memory it holds and how it ended, in which format, how it was ' +
        "taken, which package has its kernel's debug symbols and how to get it, and what the " +
        'dump lacks. Reads headers and what leads to the kernel, no other pages.',
    )
    .argument('<file...>', filesText);
  addInputOptions(node).action(async (files: string[], given: InputFlags) => {
    await handlers.info({ files, input: inputFlagsOf({ ...noInput, ...given }) }, settings());
  });
  addExamples(node, [
    ['tsdump info vmcore', 'everything'],
    ['tsdump info vmcore --json | jq -r .data.symbols.package.command', 'for a script'],
    ['tsdump info part1 part2', 'a dump that makedumpfile split'],
  ]);
}

const noInput = { format: undefined, ranges: undefined };

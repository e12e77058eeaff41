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

interface CheckFlags extends InputFlags {
  readonly quick?: boolean;
  readonly svg?: string;
  readonly force?: boolean;
}

export function addCheck(program: Command, handlers: Handlers, settings: () => Settings): void {
  const node = program
    .command('check')
    .summary('how whole a dump is: pages, structure, what of its kernel can be read')
    .description(
      'Reads every page of each FILE and says which are there, which a filter left out, which ' +
        'are missing and which are damaged; what in the structure of the file is wrong, with ' +
        'offsets; and what that means for its kernel: tasks, log, modules, page tables, per-CPU ' +
        'areas, each readable or lost, and why. The last line is the verdict: whole, filtered, ' +
        'incomplete or damaged. The exit status is 0 for the first two and 1 for the others.',
    )
    .argument('<file...>', filesText)
    .option('--quick', "believe the file's own index, and decode no page to see if it is sound")
    .option('--svg <file>', 'the map of pages as a picture; - is standard output');
  addInputOptions(node)
    .option('--force', 'overwrite the picture')
    .action(async (files: string[], { quick, svg, force, ...given }: CheckFlags) => {
      const input = inputFlagsOf({ ...noInput, ...given });
      const asked = {
        ...(quick === undefined ? {} : { quick }),
        ...(svg === undefined ? {} : { svg }),
        ...(force === undefined ? {} : { force }),
      };
      await handlers.check({ files, input, ...asked }, settings());
    });
  addExamples(node, [
    ['tsdump check vmcore', 'everything, and the verdict'],
    ['tsdump check vmcore --quick --quiet', 'the verdict alone, without reading pages'],
    ['tsdump check vmcore --svg vmcore.svg', 'with a map of its pages'],
    ['tsdump check *.kdump --quiet', 'many dumps, a line each'],
  ]);
}

const noInput = { format: undefined, ranges: undefined };

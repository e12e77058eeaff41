/** The part of the command line that is a dump server: `serve`. */

import type { Command } from 'commander';
import { addExamples } from './examples.ts';
import type { Handlers, ServeFlags, Settings } from './handlers.ts';

export function addServe(program: Command, handlers: Handlers, settings: () => Settings): void {
  const collect = (word: string, words: readonly string[] = []): readonly string[] => [
    ...words,
    word,
  ];
  const node = program
    .command('serve')
    .summary('a dump server: takes netdump and LKCD network dumps over UDP')
    .description(
      'Listens for machines that crashed, asks each for its memory (netdump) or takes the file ' +
        'that it pushes (LKCD), and keeps the dump in a directory. A file has its name only when ' +
        'it is whole; until then, and where it never is, it ends in -incomplete and says in its ' +
        'header that it is not. Without --allow only this machine itself may dump here.\n\n' +
        'It runs until it is ended by a signal, or until --count dumps are whole.',
    )
    .option('--listen <host[:port]>', 'where (default: 127.0.0.1; netdump at 6666, LKCD at 6688)')
    .option('--dir <directory>', 'where the dumps go (default: the current one)')
    .option('--protocol <name>', 'netdump, lkcd or both (default: both; netdump with a port)')
    .option('--allow <address[/bits]>', 'who may dump here; may be repeated', collect)
    .option('--clients <number>', 'how many may dump at a time (default: 256)')
    .option('--max-bytes <size>', 'how much memory each may have, as 64G (default: 1T)')
    .option('--count <number>', 'end when so many dumps are whole')
    .action((flags: ServeFlags) => handlers.serve(flags, settings()));
  addExamples(node, [
    ['tsdump serve', 'for dumps of this machine'],
    ['tsdump serve --listen 0.0.0.0 --allow 10.1.0.0/16 --dir /var/crash', 'for a network'],
    ['tsdump serve --count 1 --json', 'one dump, told as JSON lines'],
  ]);
}

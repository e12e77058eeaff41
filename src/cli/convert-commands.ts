/** The part of the command line that makes dumps of dumps: `convert` and `repair`. */

import type { Command } from 'commander';
import { addExamples } from './examples.ts';
import type { ConvertFlags, Handlers, RepairFlags, Settings } from './handlers.ts';
import { addInputOptions } from './input-options.ts';

/** They take 320 MB together, and whoever did not ask for more is to stay below 400 MB. */
export const mostUsualThreads = 6;

export function addConvert(program: Command, handlers: Handlers, settings: () => Settings): void {
  const node = addInputOptions(
    program
      .command('convert')
      .summary('write a dump in another format: KDUMP, ELF, LKCD, diskdump, LiME, raw ...')
      .description(
        'Reads a dump of any format, or the parts of a split one, and writes it in another: ' +
          'page by page, with all that the file says of its kernel. What the source does not ' +
          'say (registers, VMCOREINFO) is taken from the memory. What the target has no place ' +
          'for is said; --sidecar keeps it in OUT.sidecar.json, where tsdump finds it again.\n\n' +
          'OUT is - for standard output, which gets the flattened form. Raw memory gets a ' +
          'list of its ranges beside it, OUT.iomem. Without --to the name of OUT tells the ' +
          'format (.elf, .lkcd, .lime, .raw, .flat ...), else it is KDUMP.',
      )
      .argument('<in...>', 'the dump, or all parts of a split one, and OUT last'),
  )
    .option(
      '--to <format>',
      'kdump, elf, flat (flattened KDUMP), lkcd, diskdump, diskdump-partition, mkdump, lime, raw',
    )
    .option(
      '--level <level>',
      'pages to leave out: 0-31 or zero,cache,private-cache,user,free (default: 0)',
    )
    .option(
      '--compress <name>',
      'none, rle, zlib, lzo, snappy, zstd, as the format has it (default: zlib, else none)',
    )
    .option(
      '--jobs <number>',
      'threads that read and pack pages ' +
        `(default: one for each CPU, ${mostUsualThreads} at most)`,
    )
    .option('--split <number>', 'KDUMP: so many files OUT.0, OUT.1 ..., each with as many pages')
    .option('--sidecar', 'keep what the format has no place for in OUT.sidecar.json')
    .option('--lossless', 'refuse where anything would be lost')
    .option('--dry-run', 'say what would be written and lost, and write nothing')
    .option('--force', 'overwrite the output files')
    .action(async (files: string[]) => {
      await handlers.convert(files, node.opts<ConvertFlags>(), settings());
    });
  addExamples(node, [
    ['tsdump convert vmcore vmcore.elf', 'any dump as ELF, by the name'],
    [
      'tsdump convert vmcore small --level 31 --compress zstd',
      'without caches, user and free pages',
    ],
    ['tsdump convert vmcore memory.lime --sidecar', 'with what LiME has no place for beside it'],
    ['tsdump convert memory.raw vmcore --ranges iomem', 'raw memory with its ranges'],
    ['tsdump convert part.0 part.1 part.2 vmcore', 'a split dump into one'],
    ['tsdump convert vmcore - | ssh host "makedumpfile -R vmcore"', 'through a pipe'],
    ['tsdump convert vmcore --to lkcd --dry-run', 'what would be lost'],
  ]);
}

export function addRepair(program: Command, handlers: Handlers, settings: () => Settings): void {
  const node = addInputOptions(
    program
      .command('repair')
      .summary('find what keeps others from opening a dump, and mend it')
      .description(
        'Looks for what a hypervisor left out or got wrong: no VMCOREINFO or a false one, a ' +
          'wrong phys_base or KERNELOFFSET, program headers where makedumpfile does not find ' +
          'them, a dump in parts or in regions of memory, a file that was cut. With -o a ' +
          "sound dump is written: with the kernel's own VMCOREINFO out of its memory, and " +
          'flagged incomplete where it is. Without -o nothing is written, and the exit status ' +
          'is 1 where something is wrong.',
      )
      .argument('<in...>', 'a dump; the parts of one; or FILE@0xADDRESS for raw regions of memory'),
  )
    .option('-o, --output <file>', 'where the mended dump goes')
    .option('--to <format>', 'its format (default: as it was; KDUMP for plain memory)')
    .option('--compress <name>', 'none, rle, zlib, lzo, snappy, zstd, as the format has it')
    .option('--force', 'overwrite the output file')
    .action(async (files: string[]) => {
      await handlers.repair(files, node.opts<RepairFlags>(), settings());
    });
  addExamples(node, [
    ['tsdump repair vmcore', 'what is wrong with it'],
    ['tsdump repair vmcore -o mended', 'and without that'],
    ['tsdump repair low.bin@0x0 high.bin@0x100000000 -o vmcore', 'regions of memory into one dump'],
    ['tsdump repair cut.flat -o rest', 'what is left of a cut dump'],
  ]);
}

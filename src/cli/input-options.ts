/** The options that say how a dump is to be read, wherever one is named. */

import type { Command } from 'commander';

/** As they were given. */
export interface InputFlags {
  readonly format?: string;
  readonly ranges?: string;
}

export function addInputOptions(command: Command): Command {
  return command
    .option('--format <name>', 'of a file that does not say it: raw, lime, kdump ...')
    .option(
      '--ranges <file>',
      'which memory a raw file holds, as /proc/iomem tells it (default: FILE.iomem, if there)',
    );
}

/** Out of all options of a command. */
export function inputFlagsOf({
  format,
  ranges,
}: { readonly [name in keyof InputFlags]: string | undefined }): InputFlags {
  return {
    ...(format === undefined ? {} : { format }),
    ...(ranges === undefined ? {} : { ranges }),
  };
}

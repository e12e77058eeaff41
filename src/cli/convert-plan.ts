/** What a conversion is to be, from the words of its command line. Throws `usage`. */

import { extname } from 'node:path';
import { DumpError } from '../bytes/errors.ts';
import { type CompressionName, compressionNames } from '../codec/types.ts';
import { type Writer, writers } from '../dump/writers.ts';
import { oneOf, parseCompression, parseLevel } from './capture-options.ts';
import { refuseInput } from './file-identity.ts';
import type { ConvertFlags } from './handlers.ts';
import { rangesExtension, sidecarExtension } from './input.ts';

export interface ConvertPlan {
  readonly inputs: readonly string[];
  /** Files, or `-`; none for a dry run that names none. */
  readonly outputs: readonly string[];
  readonly writer: Writer;
  readonly flattened: boolean;
  readonly compression: CompressionName;
  readonly level: number;
  readonly jobs: number | undefined;
  /** The list of ranges beside raw memory. */
  readonly ranges: string | undefined;
  readonly sidecar: string | undefined;
  readonly lossless: boolean;
  readonly dryRun: boolean;
  readonly overwrite: boolean;
}

const byExtension: ReadonlyMap<string, string> = new Map([
  ['.elf', 'elf'],
  ['.core', 'elf'],
  ['.lkcd', 'lkcd'],
  ['.diskdump', 'diskdump'],
  ['.mkdump', 'mkdump'],
  ['.lime', 'lime'],
  ['.raw', 'raw'],
  ['.mem', 'raw'],
  ['.dd', 'raw'],
  ['.flat', 'flat'],
]);

/** Threads beyond that only wait for each other. */
const maxJobs = 256;
/** makedumpfile --split makes no more. */
const maxParts = 255;

export function planConvert(files: readonly string[], flags: ConvertFlags): ConvertPlan {
  const dryRun = flags.dryRun === true;
  // Nothing is written: the last file may as well be a part of the dump.
  const hasOutput = files.length > 1;
  if (!hasOutput && !dryRun) {
    throw new DumpError('usage', 'where is it to go?', {
      hint: 'tsdump convert IN... OUT; OUT is - for standard output',
    });
  }
  const output = hasOutput ? files.at(-1)! : undefined;
  if (files.includes('')) throw new DumpError('usage', 'a name is empty');
  const inputs = hasOutput ? files.slice(0, -1) : files;
  const to = oneOf('--to', flags.to ?? formatByName(output), toNames());
  const name = to === 'flat' ? 'kdump' : to;
  const writer = writers.find((candidate) => candidate.name === name)!;
  const outputs = output === undefined ? [] : partsOf(output, flags.split, name);
  const isPipe = output === '-';
  const plan: ConvertPlan = {
    inputs,
    outputs,
    writer,
    flattened: to === 'flat' || isPipe,
    compression: compressionOf(flags.compress, writer),
    level: flags.level === undefined ? 0 : parseLevel(flags.level),
    jobs: flags.jobs === undefined ? undefined : countOf('--jobs', flags.jobs, maxJobs),
    ranges: name === 'raw' && !isPipe && hasOutput ? output + rangesExtension : undefined,
    sidecar: flags.sidecar === true && hasOutput ? output + sidecarExtension : undefined,
    lossless: flags.lossless === true,
    dryRun,
    overwrite: flags.force === true,
  };
  refuseNonsense(plan);
  return plan;
}

function toNames(): string[] {
  return [...writers.map(({ name }) => name), 'flat'];
}

function formatByName(output: string | undefined): string {
  return byExtension.get(extname(output ?? '').toLowerCase()) ?? 'kdump';
}

function compressionOf(text: string | undefined, writer: Writer): CompressionName {
  if (text !== undefined) {
    const { name, compressions } = writer;
    const asked = parseCompression(text, compressionNames);
    if (compressions.includes(asked)) return asked;
    throw new DumpError('usage', `--compress ${text}: ${name} does not have it`, {
      hint: compressions.length > 1 ? `it has ${compressions.join(', ')}` : 'it packs no page',
    });
  }
  return writer.compressions.find((name) => name === 'zlib') ?? 'none';
}

function partsOf(output: string, split: string | undefined, format: string): string[] {
  if (split === undefined) return [output];
  const parts = countOf('--split', split, maxParts);
  if (format !== 'kdump') throw new DumpError('usage', `--split: ${format} is not split`);
  return Array.from({ length: parts }, (_, part) => `${output}.${part}`);
}

function countOf(option: string, text: string, most: number): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new DumpError('usage', `${option} ${text}: 1 to ${most}`);
}

function refuseNonsense({ inputs, outputs, ranges, sidecar, flattened }: ConvertPlan): void {
  const [first] = outputs;
  const isPipe = first === '-';
  if (isPipe && sidecar !== undefined) {
    throw new DumpError('usage', '--sidecar: there is no file for it to stand beside');
  }
  if (flattened && outputs.length > 1) {
    throw new DumpError('usage', '--split: a flattened dump is not split');
  }
  if (sidecar !== undefined && outputs.length > 1) {
    throw new DumpError('usage', '--sidecar: a side file belongs to one file, not to parts', {
      hint: 'leave --split out',
    });
  }
  const written = [...outputs, ranges, sidecar].filter((name) => name !== undefined);
  for (const output of written) {
    for (const input of inputs) if (output !== '-') refuseInput(output, input);
  }
}

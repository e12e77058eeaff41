/**
 * Every command over a dump that has lost pages: of the data that answering touches, or of all.
 * Nothing but a DumpError ends a command, what is missing is said, and the share of tasks and lines
 * of the log that come back is printed against what is physically left.
 *
 * TSDUMP_SEEDS=n tries n seeds instead of one.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ofDump, questionOf } from '../../src/analyze/answer.ts';
import type { Question } from '../../src/analyze/command.ts';
import { callOf } from '../../src/analyze/parse.ts';
import { commands } from '../../src/analyze/table.ts';
import { splitWords } from '../../src/analyze/words.ts';
import { attempt } from '../../src/bytes/errors.ts';
import type { Dump } from '../../src/dump/types.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { dumpLike, openFixture, withPages } from '../support/fixture.ts';
import { Random } from '../support/mutate.ts';

const seeds = Array.from({ length: Number(process.env['TSDUMP_SEEDS'] ?? 1) }, (_, at) => at + 1);
const shares = [0.001, 0.01, 0.1];
const ways = ['removed', 'overwritten'] as const;
const pageSize = 4096;

/** An example of a command's help, parsed as the command line parses it. */
interface Asked extends Question {
  readonly line: string;
}

async function examples(): Promise<Asked[]> {
  const lines = commands.flatMap((command) =>
    command.examples.map(([line]) => line.split('|')[0]!),
  );
  const questions = lines.map(async (line) => {
    return { line, ...(await questionOf(callOf(splitWords(line)))) };
  });
  return Promise.all(questions);
}

/** What a command says, or the code of the DumpError that it ends with. */
interface Said {
  readonly text: string;
  readonly incomplete: boolean;
}

function said(kernel: Kernel, question: Question): Said {
  let text = '';
  let incomplete = false;
  attempt(
    () => {
      const answer = ofDump(question.ask(kernel, { input: 'vmcore' }), kernel);
      // `print` numbers its values, and one that fails takes no number.
      text = [...answer.text()].join('\n').replace(/(^| )\$\d+ = /gm, '$1');
      JSON.stringify(answer.json());
      incomplete = answer.missing.length > 0;
    },
    () => {
      incomplete = true;
    },
  );
  return { text, incomplete };
}

/** PFNs whose contents make up each thing. */
interface Things {
  readonly tasks: ReadonlyMap<bigint, readonly number[]>;
  readonly lines: ReadonlyMap<number, readonly number[]>;
}

function thingsOf(kernel: Kernel): Things {
  const pagesOf = (address: bigint, length: number): number[] => {
    const pages = new Set<number>();
    const last = address + BigInt(Math.max(length, 1) - 1);
    for (let at = address & ~0xfffn; at <= last; at += BigInt(pageSize)) {
      pages.add(Number(kernel.memory.translate(at).physical >> 12n));
    }
    return [...pages];
  };
  const size = kernel.types.sizeOf('struct task_struct');
  const tasks = new Map(
    [...kernel.tasks()].map((task) => [addressOf(task), pagesOf(addressOf(task), size)]),
  );
  const buffer = kernel.memory.u64(kernel.symbol('log_buf').address);
  const length = kernel.memory.u32(kernel.symbol('log_buf_len').address);
  const ring = Buffer.from(kernel.memory.read(buffer, length));
  const lines = new Map<number, readonly number[]>();
  let from = 0;
  for (const { sequence, bytes } of readLog(kernel).records) {
    const at = ring.indexOf(bytes, from);
    if (at < 0) continue;
    from = at + bytes.length;
    lines.set(sequence, pagesOf(buffer + BigInt(at), bytes.length));
  }
  return { tasks, lines };
}

/** The dump with those pages gone, or full of other bytes. */
function damaged(
  dump: Dump,
  hit: ReadonlySet<number>,
  way: (typeof ways)[number],
  random: Random,
): Dump {
  const noise = Uint8Array.from({ length: pageSize }, () => random.below(256));
  return withPages(dump, (pfn, bytes) => {
    if (!hit.has(pfn)) return bytes;
    return way === 'removed' ? 'missing' : noise;
  });
}

function choose(from: readonly number[], count: number, random: Random): Set<number> {
  const left = [...from];
  const chosen = new Set<number>();
  while (chosen.size < count && left.length > 0) {
    const at = random.below(left.length);
    chosen.add(left[at]!);
    left[at] = left.at(-1)!;
    left.pop();
  }
  return chosen;
}

let dump: Dump;
let all: Asked[];
let whole: Said[];
let things: Things;
/** PFNs to hit: the kernel's data that answering touches, or any page of the dump. */
const pools = { data: [] as number[], any: [] as number[] };
const table: string[] = [];

beforeAll(async () => {
  dump = await openFixture();
  all = await examples();
  let read = new Set<number>();
  const kernel = openKernel(
    dumpLike(dump, {
      readPage(pfn) {
        read.add(pfn);
        return dump.readPage(pfn);
      },
    }),
  );
  whole = [];
  for (const question of all) {
    // A search reads everything: by it no page would be more worth hitting than others.
    const before = question.command.name === 'search' ? new Set(read) : undefined;
    whole.push(said(kernel, question));
    if (before !== undefined) read = before;
  }
  things = thingsOf(kernel);
  const pfnOf = (virtual: bigint): number =>
    Number(kernel.memory.translate(virtual).physical >> 12n);
  const text = pfnOf(kernel.symbol('_text').address);
  const rodata = pfnOf(kernel.symbol('__end_rodata').address - 1n);
  // Text and read-only data never change: what a kernel leaves behind is the rest.
  pools.data = [...read].filter((pfn) => pfn < text || pfn > rodata).sort((a, b) => a - b);
  for (const run of dump.runs()) {
    if (run.state !== 'stored') continue;
    for (let pfn = run.first; pfn < run.end; pfn++) pools.any.push(pfn);
  }
}, 60_000);
afterAll(() => {
  dump.close();
  console.info(
    [
      `${pools.data.length} pages of data that answers touch, ${pools.any.length} in all`,
      'share   hit        of     way          tasks/left    log lines/left',
      ...table,
    ].join('\n'),
  );
});

function leftOf<K>(parts: ReadonlyMap<K, readonly number[]>, hit: ReadonlySet<number>): Set<K> {
  const left = [...parts].filter(([, pages]) => pages.every((pfn) => !hit.has(pfn)));
  return new Set(left.map(([key]) => key));
}

describe.each(seeds)('seed %i', (seed) => {
  describe.each(ways)('pages %s', (way) => {
    test.each(
      shares.flatMap((share) => (['data', 'any'] as const).map((of) => [share, of] as const)),
    )(
      '%f of %s pages: every command ends, and says what it lacks',
      async (share, of) => {
        const random = new Random(seed * 1000 + share * 1000);
        const hit = choose(pools[of], Math.ceil(pools[of].length * share), random);
        const broken = damaged(dump, hit, way, random);
        const kernel = attempt(() => openKernel(broken));
        const silent: string[] = [];
        for (const [index, question] of all.entries()) {
          if (kernel === undefined) break;
          const { text, incomplete } = said(kernel, question);
          const isSame = text === whole[index]!.text;
          if (way === 'removed' && !isSame && !incomplete) silent.push(question.line);
        }
        expect(silent).toEqual([]);
        const leftTasks = leftOf(things.tasks, hit);
        const leftLines = leftOf(things.lines, hit);
        const tasks = attempt(() => [...kernel!.tasks()].map(addressOf)) ?? [];
        const lines = attempt(() => readLog(kernel!).records.map(({ sequence }) => sequence)) ?? [];
        const foundTasks = tasks.filter((address) => leftTasks.has(address)).length;
        const foundLines = lines.filter((sequence) => leftLines.has(sequence)).length;
        table.push(
          [
            String(share).padEnd(7),
            String(hit.size).padEnd(10),
            of.padEnd(6),
            way.padEnd(12),
            `${foundTasks}/${leftTasks.size}`.padEnd(13),
            `${foundLines}/${leftLines.size}`,
          ].join(' '),
        );
      },
      120_000,
    );
  });
});

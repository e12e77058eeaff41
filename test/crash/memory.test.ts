/**
 * The commands about memory against crash, line for line: 8.0.6 on the real dumps, and 8.0.2 on
 * the dump that is always here for what the files of 8.0.6 do not have. What differs is named, with
 * a proof from memory.
 */

import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { pathOf } from '../../src/linux/files.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { linesOf } from '../support/ask.ts';
import { dumpPath, openFile } from '../support/fixture.ts';
import * as facts from './facts.ts';

const opened = new Map<string, Promise<Kernel>>();

function kernelOf(path: string): Promise<Kernel> {
  const known = opened.get(path) ?? openFile(path).then(openKernel);
  opened.set(path, known);
  return known;
}

afterAll(async () => {
  for (const kernel of opened.values()) (await kernel).dump.close();
});

/** Lines of ours that are not crash's, with crash's. */
function differing(crash: readonly string[], ours: readonly string[]): [string, string][] {
  const length = Math.max(crash.length, ours.length);
  return Array.from({ length }, (_, index): [string, string] => [
    crash[index] ?? '(no line)',
    ours[index] ?? '(no line)',
  ]).filter(([theirs, own]) => theirs !== own);
}

describe.each(facts.realDumps)('$file', (image) => {
  if (!image.isHere) {
    test.skip(`skipped: no ${image.file} (set TSDUMP_IMAGES)`, () => {});
    return;
  }
  const kernel = (): Promise<Kernel> => kernelOf(image.path);

  test('vm 1: every line', async () => {
    const ours = await linesOf(await kernel(), 'vm 1');
    const bare = (lines: readonly string[]): string[] => lines.map((line) => line.trimEnd());
    expect(bare(ours)).toEqual(bare(facts.crashAnswer(image, 'vm-1')));
  });

  test('files 1: every line', async () => {
    expect(await linesOf(await kernel(), 'files 1')).toEqual(facts.crashAnswer(image, 'files-1'));
  });

  test('foreach files: every task, every line; pipes have their names besides', async () => {
    const lines = facts.crashAnswer(image, 'foreach-files');
    const tasks = lines.flatMap((line) => /^PID: .* TASK: (\w+)/.exec(line)?.[1] ?? []);
    expect(tasks.length).toBeGreaterThan(60);
    const ours = await linesOf(await kernel(), `files ${tasks.join(' ')}`);
    for (const [theirs, own] of differing(lines, ours)) {
      const { file, place } = fileLine(own);
      expect([theirs, `${place} `]).toEqual([`${place} `, theirs]);
      // The name is the pipe's: the number of the inode that crash shows as well.
      const view = (await kernel()).object('struct file', file);
      expect(view.f_path.dentry.d_sb.s_magic).toBe(0x5049_5045n);
      expect(own).toBe(`${place} pipe:[${view.f_inode.i_ino}]`);
      expect(pathOf(await kernel(), view.f_path)).toBe(`pipe:[${view.f_inode.i_ino}]`);
    }
  });

  test('vtop of what is not mapped: every entry; no physical address is invented', async () => {
    const lines = facts.crashAnswer(image, 'vtop').filter((line) => !line.startsWith('WARNING'));
    const ours = await linesOf(await kernel(), 'vtop ffffffff81000000');
    const different = differing(lines.join('\n').trimEnd().split('\n'), ours.slice(0, -1));
    // crash gives an address beyond all memory, with an entry that is zero below it.
    expect(different).toHaveLength(1);
    expect(different[0]![1]).toBe('ffffffff81000000  (not mapped)');
    const invented = BigInt(`0x${different[0]![0].split(/ +/)[1]}`);
    expect(invented > BigInt((await kernel()).dump.endPfn) * 4096n).toBe(true);
    expect(ours.at(-2)).toMatch(/^ {3}PMD: \w+ => 0$/);
  });
});

/** A line of `files`, and its columns up to the type. */
function fileLine(line: string): { file: bigint; place: string } {
  const match = /^( *\d+ (\w{16}) \w{16} \w{16} \w+) ./.exec(line);
  if (match === null) throw new Error(`no line of an open file: ${line}`);
  return { file: BigInt(`0x${match[2]}`), place: match[1]! };
}

function withoutBlankEnd(lines: readonly string[]): string[] {
  return lines.join('\n').replace(/\n+$/, '').split('\n');
}

/** What crash 8.0.2 answers otherwise, and why we are right. */
const otherwise: Readonly<Record<string, (crash: string[], ours: string[]) => void>> = {
  // The first nine characters of memory are `Linux ver`: the words are turned, their bytes are not.
  'rd -N -32 linux_banner 4': (crash, ours) => {
    expect(ours[0]!.slice(-16)).toBe('Linux version 6.');
    expect(ours[0]!.slice(0, -16)).toBe(crash[0]!.slice(0, -16));
  },
  'rd -N -16 linux_banner 8': (crash, ours) => {
    expect(ours[0]!.slice(-16)).toBe('Linux version 6.');
    expect(ours[0]!.slice(0, -16)).toBe(crash[0]!.slice(0, -16));
  },
  // -d is said to be signed: 65534 is -2 in 16 bits.
  'rd -d -16 jiffies 9': (crash, ours) => {
    const signed = (value: string): number => (Number(value) << 16) >> 16;
    const numbers = (lines: string[]): number[] =>
      lines.flatMap((line) => line.split(':')[1]!.trim().split(/ +/)).map((text) => signed(text));
    expect(numbers(ours)).toEqual(numbers(crash));
    expect(ours[0]).toContain('    -2     0 ');
  },
  // crash knows sections of the file with symbols; the memory knows the symbol at that place.
  'rd -s init_task 6': (crash, ours) => {
    expect(ours.map((line) => line.replace(/init_stack {6}/, '.data           '))).toEqual(crash);
  },
  // Four characters of crash's chart are not ASCII's.
  ascii: (crash, ours) => {
    const cells = (line: string, at: number): string => line[7 + at * 4]!;
    for (let low = 0; low < 16; low++) {
      const [theirs, own] = [crash[3 + low]!, ours[3 + low]!];
      for (let high = 2; high < 8; high++) {
        const code = high * 16 + low;
        if (code > 0x20 && code < 0x7f) expect(cells(own, high)).toBe(String.fromCharCode(code));
        else expect(cells(own, high)).toBe(cells(theirs, high));
      }
    }
    expect(ours.slice(0, 3)).toEqual(crash.slice(0, 3));
  },
};

describe('crash 8.0.2 on sysrq.kdump', () => {
  const path = new URL('answers/sysrq-8.0.2/memory.txt', import.meta.url);
  const sections = readFileSync(path, 'utf8')
    .split(/^crash> /m)
    .slice(1);
  const answers = sections.map((section): [string, string[]] => {
    const [command, ...lines] = section.replace(/\n+$/, '').split('\n');
    return [command!, lines];
  });
  let equal = 0;

  test.each(answers)('%s', async (command, crash) => {
    const lines = await linesOf(await kernelOf(dumpPath('sysrq.kdump')), command);
    const ours = lines.join('\n').trimEnd() === '' ? [] : withoutBlankEnd(lines);
    const proof = otherwise[command];
    if (proof === undefined) {
      expect(ours).toEqual(crash);
      equal++;
    } else {
      expect(ours).not.toEqual(crash);
      proof(crash, ours);
    }
  });

  test('is what we say in all but the named differences', () => {
    console.log(`crash 8.0.2, memory: ${equal} of ${answers.length} answers are equal`);
    expect(equal).toBe(answers.length - Object.keys(otherwise).length);
  });
});

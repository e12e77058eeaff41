/**
 * Letters of crash's commands against crash 8.0.2, line for line, on the dump that is always here.
 * It sees 4 of its 63 tasks and none of its mappings, does not use ORC, and knows lines of source:
 * what differs is named, with what is the same nevertheless, or with a proof from memory.
 */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { attempt } from '../../src/bytes/errors.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { linesOf } from '../support/ask.ts';
import { openFixture } from '../support/fixture.ts';
import { saysAsCrash, told } from './told.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => kernel.dump.close());

type Proof = (crash: string[], ours: string[]) => void;

/** Every line of crash's is one of ours, in the same order. */
const isPart: Proof = (crash, ours) => {
  expect(crash.length).toBeGreaterThan(0);
  expect(ours.filter((line) => crash.includes(line))).toEqual(crash);
};

/** Every block of lines of crash's is one of ours. */
const hasBlocks: Proof = (crash, ours) => {
  const blocks = (lines: string[]): string[] => lines.join('\n').split('\n\n');
  expect(blocks(ours)).toEqual(expect.arrayContaining(blocks(crash)));
};

/** The same without the resident size, which crash does not find on this kernel. */
const isPartButSize: Proof = (crash, ours) => {
  const line = (text: string): string => text.replace(/ +\d+\.\d +(\d+) +\d+ {2}/, ' $1 ');
  isPart(crash.map(line), ours.map(line));
};

/** There is no line table in a dump. */
const isWithoutSource: Proof = (crash, ours) => {
  const cut = (line: string): string => line.replace(/ +(?:FILE AND LINE|\S+\.[chS]: ).*$/, '');
  expect(ours).toEqual(crash.map(cut));
};

/** Modules' letters: crash takes them for what they look like, the kernel keeps them. */
const isButForLetters: Proof = (crash, ours) => {
  const plain = (line: string): string => line.replace(/ \(.\) /, ' ').replace(/\.isra\.\d+$/, '');
  expect(ours.map(plain)).toEqual(crash.map(plain));
  expect(ours.join('\n')).not.toContain('(?)');
};

/** Where the registers say that the CPU was, one frame further in. */
const startsFurtherIn: Proof = (crash, ours) => {
  expect(ours.filter((line) => !line.includes('START: '))).toEqual(
    crash.filter((line) => !line.includes('START: ')),
  );
  const [, address] = /START: delay_tsc at (\w{16})$/.exec(ours[1]!)!;
  expect(kernel.dump.cpus.map(({ registers }) => registers.rip)).toContain(BigInt(`0x${address}`));
};

/** Of crash's frames those that ORC leads to, with the same text but for their numbers. */
const isWithoutStaleFrames: Proof = (crash, ours) => {
  const frames = (lines: string[]): string[] =>
    lines.flatMap((line) => /^ *#\d+ (.*)$/.exec(line)?.[1] ?? []);
  const [innermost, ...others] = frames(ours);
  expect(innermost).toContain('delay_tsc');
  expect(frames(crash).length).toBeGreaterThan(others.length);
  expect(frames(crash).filter((frame) => others.includes(frame))).toEqual(others);
};

/** The words of the stack, each at its address, whichever frame it is said to be in. */
const hasSameWords: Proof = (crash, ours) => {
  const words = (lines: string[]): Map<bigint, string> =>
    new Map(
      lines.flatMap((line): [bigint, string][] => {
        const [, at, text] = /^ {4}([0-9a-f]{16}): (.*)$/.exec(line) ?? [];
        if (at === undefined) return [];
        return text!
          .trim()
          .split(/ +/)
          .map((word, index): [bigint, string] => {
            return [BigInt(`0x${at}`) + BigInt(index * 8), word];
          });
      }),
    );
  const [theirs, own] = [words(crash), words(ours)];
  expect(theirs.size).toBeGreaterThan(150);
  for (const [at, word] of theirs) expect(own.get(at), at.toString(16)).toBe(word);
};

/** Only what page tables map can be searched. */
const isMappedPart: Proof = (crash, ours) => {
  const isMapped = (line: string): boolean =>
    attempt(() => kernel.memory.translate(BigInt(`0x${line.slice(0, 16)}`))) !== undefined;
  const mapped = crash.filter(isMapped);
  expect(mapped.length).toBeGreaterThan(crash.length / 2);
  expect(ours.filter((line) => mapped.includes(line))).toEqual(mapped);
  expect(ours.filter((line) => !isMapped(line))).toEqual([]);
};

/** The numbers of flags change; this kernel has a table of its own. */
const isKernelsTable: Proof = (_, ours) => {
  const [, digits, text] = /^(\w+): \((.*)\)$/.exec(ours[0]!)!;
  let value = 0n;
  for (let at = kernel.symbol('vmaflag_names').address; ; at += 16n) {
    const name = kernel.memory.u64(at + 8n);
    if (name === 0n) break;
    const isNamed = text!.toLowerCase().split('|').includes(kernel.memory.cstring(name, 32));
    if (isNamed) value |= kernel.memory.u64(at);
  }
  value |= BigInt(text!.split('|').find((part) => part.startsWith('0x')) ?? 0);
  expect(value.toString(16)).toBe(digits);
};

/** crash says of a text of no characters that it cannot be read. */
const isEmptyText: Proof = (crash, ours) => {
  expect(ours.map((line) => line.replace('-> ""', '-> (not accessible)'))).toEqual(crash);
};

const otherwise: Readonly<Record<string, Proof>> = {
  'ps -l': isPart,
  'ps -m': isPart,
  'ps -m -C 0': isPart,
  'ps -l -C a': isPart,
  'ps -g': hasBlocks,
  'ps -A': isPartButSize,
  'ps -G': isPartButSize,
  'ps -y NORMAL,FIFO': isPartButSize,
  'ps -us': isPartButSize,
  'ps -S': (crash, ours) => {
    // 4 tasks are running; that is all that crash sees.
    expect(crash).toEqual(['  RU: 4']);
    expect(ours).toEqual(['  RU: 6', '  IN: 21', '  ID: 36']);
  },
  'whatis -m mm_struct': isPart,
  'whatis -m int -r 4': isPart,
  'whatis -m list_head -r 24-32': isPart,
  'whatis -m task_struct -r 100-200': isPart,
  'sys -c': isWithoutSource,
  'sys -c read': isWithoutSource,
  'sys -c 1': isWithoutSource,
  'sym -n -p schedule': isWithoutSource,
  'sym -m qemu_fw_cfg': isButForLetters,
  'sym -p ffffffffc03f6698': isButForLetters,
  'bt -t': startsFurtherIn,
  'bt -s': isWithoutStaleFrames,
  'bt -sx': isWithoutStaleFrames,
  'bt -c 0': isWithoutStaleFrames,
  'bt -p': isWithoutStaleFrames,
  'bt -g 1': isWithoutStaleFrames,
  'bt -R vfs_write': isWithoutStaleFrames,
  'bt -F': hasSameWords,
  'bt -FF': hasSameWords,
  'search -K ffff8d1e03df4180': isMappedPart,
  'search -K init_task': isMappedPart,
  'search -t init_task': isPart,
  'vm -f 875': isKernelsTable,
  'vm -f 8001875': isKernelsTable,
  'foreach files -R null': hasBlocks,
  'struct module.args -p ffffffffc03f62c0': isEmptyText,
  'struct task_struct.stack,tasks -p init_task': (crash, ours) => {
    expect(ours.map((line) => line.replace('<init_stack>', '<.data>'))).toEqual(crash);
  },
};

saysAsCrash('options', (line) => linesOf(kernel, line), otherwise);

test('canary: a stale frame is not accepted', () => {
  const [, crash] = told('options').find(([line]) => line === 'bt -c 0')!;
  expect(() => isWithoutStaleFrames(crash, crash)).toThrow();
});

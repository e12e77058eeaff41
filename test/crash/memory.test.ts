/**
 * The commands about memory against crash 8.0.2, line for line, on the dump that is always here:
 * what the files of 8.0.6 do not have. What differs is named, with a proof from memory.
 */

import { afterAll, beforeAll, expect } from 'vitest';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { linesOf } from '../support/ask.ts';
import { openFixture } from '../support/fixture.ts';
import { type Otherwise, saysAsCrash } from './told.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => kernel.dump.close());

/** What crash 8.0.2 answers otherwise, and why we are right. */
const otherwise: Otherwise = {
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

saysAsCrash('memory', (line) => linesOf(kernel, line), otherwise);

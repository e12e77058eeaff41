/**
 * `list`, `tree` and `dis` against crash 8.0.2, line for line, on the dump that is always here.
 * What differs is named, with a proof from memory.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { linesOf } from '../support/ask.ts';
import { openFixture } from '../support/fixture.ts';
import { comparable, type Otherwise, saysAsCrash, told } from './told.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => kernel.dump.close());

/** What crash 8.0.2 answers otherwise, and why we are right. */
const otherwise: Otherwise = {
  // An error of crash; ours stands in the note.
  'list task_struct.comm init_task': (crash, ours) => {
    expect([...ours, crash.at(-1)]).toEqual(crash);
    expect(crash.at(-1)).toMatch(/^list: invalid kernel virtual address/);
  },
  'list linux_banner': (crash, ours) => {
    expect([...ours, crash.at(-1)]).toEqual(crash);
    expect(crash.at(-1)).toMatch(/^list: invalid kernel virtual address/);
  },
  // The first word of the banner, which is no address of a node.
  'tree linux_banner': (crash, ours) => {
    const word = kernel.memory.u64(kernel.symbol('linux_banner').address).toString(16);
    expect(crash[0]).toBe(word);
    expect(crash.slice(1).every((line) => line.startsWith('tree: invalid kernel'))).toBe(true);
    expect(ours).toEqual([]);
  },
  // The low bits say that this is a value, or a tagged pointer: crash takes them away.
  'tree -t xarray -p unnamed_dev_ida': (crash, ours) => {
    expect(ours[0]).toBe(headOf('unnamed_dev_ida').toString(16));
    expect(crash[0]).toBe((headOf('unnamed_dev_ida') & ~3n).toString(16));
    expect(ours.slice(1)).toEqual(crash.slice(1));
  },
  'tree -t xarray -p uprobes_tree': (crash, ours) => {
    expect(ours[0]).toBe(headOf('uprobes_tree').toString(16));
    expect(crash[0]).toBe((headOf('uprobes_tree') & ~3n).toString(16));
    expect(ours.slice(1)).toEqual(crash.slice(1));
  },
};

function headOf(symbol: string): bigint {
  const offset = kernel.types.offsetOf('struct xarray', 'xa_head');
  return kernel.memory.u64(kernel.symbol(symbol).address + BigInt(offset));
}

saysAsCrash('walks', (line) => linesOf(kernel, line), otherwise);

const place = /<([\w.]+)(?:\+(0x[0-9a-f]+|\d+))?>/g;

/**
 * The lines differ in names of symbols only, each a symbol of the same place, or the name that a
 * clone has in debug symbols.
 */
function differsInNames(crash: string, ours: string): boolean {
  if (crash.replace(place, '<>') !== ours.replace(place, '<>')) return false;
  const [theirs, own] = [crash, ours].map((line) => [...line.matchAll(place)]);
  return theirs!.every(([whole, name, offset], index) => {
    const [ownWhole, ownName, ownOffset] = own![index]!;
    if (whole === ownWhole) return true;
    if (ownName!.startsWith(`${name}.`)) return offset === ownOffset;
    const meant = placesOf(ownName!, ownOffset);
    return placesOf(name!, offset).some((address) => meant.includes(address));
  });
}

function placesOf(name: string, offset = '0'): bigint[] {
  return kernel.symbols.lookupAll(name).map(({ address }) => address + BigInt(offset));
}

describe('dis', () => {
  const answers = told('instructions');
  const count = { answers: 0, lines: 0, equal: 0, renamed: 0 };

  test.each(answers)('%s', async (command, crash) => {
    const ours = comparable(await linesOf(kernel, command));
    expect(ours).toHaveLength(crash.length);
    const different = crash.filter((line, index) => {
      const own = ours[index]!;
      count.lines++;
      if (line === own) count.equal++;
      else if (differsInNames(line, own)) count.renamed++;
      else return true;
      return false;
    });
    expect(different).toEqual([]);
    if (ours.join('\n') === crash.join('\n')) count.answers++;
  });

  test('says what crash says in all but names of symbols', () => {
    const { lines, equal, renamed } = count;
    console.log(
      `crash 8.0.2, dis: ${count.answers} of ${answers.length} answers are equal, ` +
        `${equal} of ${lines} lines, ${renamed} more but for the name of a symbol`,
    );
    expect(count.answers).toBeGreaterThanOrEqual(110);
    expect(equal + renamed).toBe(lines);
  });

  test('canary: another place is not taken for another name', () => {
    const line = '0xffffffff9ac11505 <schedule+21>:\tje     0xffffffff9ac11533 <schedule+67>';
    expect(differsInNames(line, line.replace('+67', '+68'))).toBe(false);
    expect(differsInNames(line, line.replace('<schedule+67>', '<yield+67>'))).toBe(false);
    expect(differsInNames(line, line.replace('je ', 'jne'))).toBe(false);
  });
});

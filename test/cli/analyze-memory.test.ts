/** The commands about memory: their JSON, what they say of what is missing, damage of all kinds. */

import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/analyze/command.ts';
import { memoryCommands } from '../../src/analyze/table-memory.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import type { Dump } from '../../src/dump/types.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { answerEnvelope } from '../../src/render/envelope.ts';
import { kernelOf } from '../fixtures/machine.ts';
import { answerOf, linesOf } from '../support/ask.ts';
import { openFile, openFixture, withPages } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { PatchedDump } from '../support/patched.ts';
import { schemaProblems } from '../support/schemas.ts';

const original = await openFixture();
const kernel = openKernel(original);
const patched = new PatchedDump(original);
afterEach(() => patched.restore());
afterAll(() => original.close());

const lines = [
  'rd linux_banner 20', 'rd -a linux_banner', 'rd -8 jiffies 4', 'rd -p 3df4180 4',
  'rd -SS init_task 200', 'rd -w 16 -N linux_banner 9',
  'vtop init_task', 'vtop ffffffff81000000', 'vtop -c 1 400000 1000', 'vtop -u 7ffffffff000',
  'ptov 1000 runqueues:a', 'pte 0 8000000002a7c163 13f600', 'ptob 512a', 'btop 512a000', 'ascii',
  'ascii 62696c2f7273752f', 'search init_task', 'search -p -c "Linux version"',
  'search -u --task 1 -w 464c457f', 'search -h -s init_task -l 64 0', 'vm', 'vm 1 2', 'vm -p 1',
  'vm -m 1', 'vm -vx 1', 'files', 'files 1 2', 'files -c 1', 'files -d ffff8d1e038a7540',
]; // biome-ignore format: one list

async function documentOf(of: Kernel, line: string): Promise<ReturnType<typeof answerEnvelope>> {
  return enveloped(line, await answerOf(of, line));
}

function enveloped(line: string, answer: Answer): ReturnType<typeof answerEnvelope> {
  const name = line.split(' ')[0]!;
  const schema = memoryCommands.find((command) => command.name === name)!.schema;
  return answerEnvelope({ version: '0', schema, input: 'dump' }, answer);
}

describe('JSON', () => {
  test.each(lines)('%s --json is what its schema says', async (line) => {
    const document = await documentOf(kernel, line);
    expect(schemaProblems(JSON.parse(JSON.stringify(document)))).toEqual([]);
  });

  test('every command has a line here', () => {
    const asked = new Set(lines.map((line) => line.split(' ')[0]));
    expect(memoryCommands.map(({ name }) => name).filter((name) => !asked.has(name))).toEqual([]);
  });

  test('every example of the help is answered on the default machine', async () => {
    const machine = await kernelOf('null-process');
    for (const { examples } of memoryCommands) {
      for (const [words] of examples) expect(await linesOf(machine, words)).not.toEqual(['']);
    }
  });

  test('user memory: what the task itself would read', async () => {
    const machine = await kernelOf('base');
    expect(await linesOf(machine, 'rd -8 -u -t 1 400000 4')).toEqual([
      `          400000:  7f 45 4c 46 ${' '.repeat(36)}  .ELF`,
    ]);
    const document = await documentOf(machine, 'rd -u -t 1 400000 4');
    expect(schemaProblems(JSON.parse(JSON.stringify(document)))).toEqual([]);
    expect(document.data).toMatchObject({ kind: 'user', length: 32 });
  });
});

describe('rd', () => {
  test('stops at the first page that is not there, and says how much is missing', async () => {
    const start = (kernel.symbol('init_task').address & ~0xfffn) + 0x1000n;
    patched.remove(start, 1);
    const of = openKernel(patched.dump);
    const answer = await answerOf(of, `rd ${(start - 16n).toString(16)} 6`);
    expect([...answer.text()]).toHaveLength(1);
    expect(answer.missing).toMatchObject([{ what: 'bytes', count: 32 }]);
    expect(answer.errors).toMatchObject([{ code: 'excluded' }]);
    await expect(answerOf(of, `rd ${start.toString(16)}`)).rejects.toThrow('left out');
  });

  test('text ends where it ends, or is said to be cut off', async () => {
    const banner = kernel.symbol('linux_banner').address;
    patched.remove((banner & ~0xfffn) + 0x1000n, 1);
    const of = openKernel(patched.dump);
    const cut = await answerOf(of, `rd -a ${banner.toString(16)}`);
    expect([...cut.text()].join('')).toMatch(/ {2}Linux version 6\.1\.0-56-cloud-amd$/);
    expect(cut.missing).toMatchObject([{ what: 'bytes' }]);
    patched.restore();
    const next = await answerOf(kernel, 'rd -a ffffffff9b320090');
    expect([...next.text()].join('')).toMatch(/ {2}ian 6\.1\.192-2 \(\d{4}-\d\d-\d\d\)$/);
    expect(next.missing).toEqual([]);
  });

  test.each([
    ['rd', 'rd needs an address, and takes a count'],
    ['rd init_task 1 2', 'rd needs an address, and takes a count'],
    ['rd init_task 0', '0 bytes cannot be shown'],
    ['rd init_task 99999999999', 'bytes cannot be shown'],
    ['rd -24 init_task', 'no words have 24 bits'],
    ['rd -s -32 init_task', 'only words of 64 bits are addresses'],
    ['rd -d -D init_task', '--signed and --unsigned do not go together'],
    ['rd -e init_task init_task', '0 bytes cannot be shown'],
    ['search', 'search needs a value'],
    ['search -w 123456789', '123456789 is more than 32 bits'],
    ['search -s 1000 1', 'no kernel memory from 1000'],
    ['search -c ""', 'a text of 0 characters cannot be searched'],
    ['pte xyz', '"xyz" is no hexadecimal number of 64 bits'],
    ['ptob ffffffffffffffff', 'lies beyond 64 bits'],
    ['vtop -u -k 0', '--user and --kernel do not go together'],
    ['vtop -c 2 400000', 'has no user memory'],
    ['vm -p -m 1', '--pages and --mm do not go together'],
    ['files -d 0 1', '--dentry takes one address and no task'],
  ])('%s: %s', async (line, message) => {
    const asked = answerOf(kernel, line);
    await expect(asked).rejects.toThrow(DumpError);
    await expect(answerOf(kernel, line)).rejects.toThrow(message);
  });
});

describe('search', () => {
  test('finds what was written across two pages', async () => {
    const start = 0x3df5000n + kernel.pageOffset;
    const text = new TextEncoder().encode('across two pages');
    patched.write(start - 7n, text.subarray(0, 7));
    patched.write(start, text.subarray(7));
    const of = openKernel(patched.dump);
    const [line, ...more] = await linesOf(of, 'search -p -c "across two pages"');
    expect(line).toMatch(/^3df4ff9: across two pages/);
    expect(more).toEqual([]);
  });

  test('says how many pages it could not search', async () => {
    const excluded = [...original.runs()]
      .filter(({ state }) => state === 'excluded')
      .reduce((sum, { first, end }) => sum + end - first, 0);
    const answer = await answerOf(kernel, 'search -p 123456789abcdef0');
    expect([...answer.text()]).toEqual([]);
    expect(answer.missing).toMatchObject([{ what: 'pages', count: excluded }]);
  });

  test('stops at 100,000 places and says that there are more', async () => {
    const answer = await answerOf(kernel, 'search -p 0');
    expect([...answer.text()]).toHaveLength(100_000);
    expect(answer.missing).toContainEqual({
      what: 'places',
      count: null,
      why: 'there are more than 100000: search a smaller area',
    });
  });
});

describe('vtop', () => {
  test('a page that the dump does not have is said with the answer', async () => {
    const image = findImage('null.kdump');
    if (image === undefined) return;
    const dump = await openFile(image);
    const of = openKernel(dump);
    expect((await linesOf(of, 'vtop -c 1 401000')).at(-1)).toBe(
      '  DUMP: the page is excluded by the filter that wrote the dump',
    );
    expect(await linesOf(of, 'vm -p 1')).toContain(
      '401000       6ed5000  (excluded by the filter that wrote the dump)',
    );
    dump.close();
  });

  test('a page of a file that is not in memory: where the file has it', async () => {
    const machine = await kernelOf('base');
    const [gone] = (await linesOf(machine, 'vm -p 1')).filter((line) => line.includes('FILE: '));
    const [address, , path, , offset] = gone!.split(/ +/);
    const found = await linesOf(machine, `vtop -c 1 ${address}`);
    expect(found[1]).toMatch(/ {2}\(not mapped\)$/);
    expect(found).toContain(`FILE: ${path}  OFFSET: ${offset}`);
  });

  test('a page table that the dump does not have: a gap, not "not mapped" alone', async () => {
    // The table of the stack of init: nothing else is behind it that a translation needs.
    const [line] = (await linesOf(kernel, 'vtop ffffd090c0013a30')).filter((text) =>
      text.startsWith('   PTE: '),
    );
    const table = BigInt(`0x${line!.split(' ')[4]}`);
    patched.remove(kernel.toVirtual(table), 1);
    const answer = await answerOf(openKernel(patched.dump), 'vtop ffffd090c0013a30');
    expect(answer.missing.map(({ what }) => what)).toContain('page tables');
  });
});

/** Every n-th page of kernel memory is lost, or overwritten; the same ones in every run. */
function damaged(dump: Dump, every: number, how: 'lost' | 'overwritten'): Dump {
  return withPages(dump, (pfn, bytes) => {
    if ((Math.imul(pfn, 0x9e3779b1) >>> 0) % every !== 0) return bytes;
    if (how === 'lost') return 'missing';
    return bytes.map((_, index) => (Math.imul(pfn + index, 0x85ebca6b) >>> 13) & 0xff);
  });
}

describe.each(['lost', 'overwritten'] as const)('of memory with pages %s', (how) => {
  test.each([1000, 100, 10])(
    'one of %i: an answer or a named error, always',
    async (every) => {
      let answered = 0;
      for (const line of lines) {
        try {
          const answer = await answerOf(openKernel(damaged(original, every, how)), line);
          const document = JSON.stringify(enveloped(line, answer));
          expect(schemaProblems(JSON.parse(document))).toEqual([]);
          expect([...answer.text()].join('\n')).not.toMatch(/\bundefined\b/);
          answered++;
        } catch (error) {
          if (!(error instanceof DumpError)) throw error;
        }
      }
      console.log(`${how}, 1 of ${every}: ${answered} of ${lines.length} commands answered`);
      expect(answered).toBeGreaterThan(4);
    },
    60_000,
  );
});

/** The commands about types and values: JSON by its schema, examples, missing pages, damage. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { typeCommands } from '../../src/analyze/table-types.ts';
import { splitWords } from '../../src/analyze/words.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import { commandTree } from '../../src/cli/program.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { answerEnvelope } from '../../src/render/envelope.ts';
import { answerOf, linesOf } from '../support/ask.ts';
import { openFixture, withPages } from '../support/fixture.ts';
import { schemaProblems } from '../support/schemas.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => kernel.dump.close());

// biome-ignore lint/suspicious/noExplicitAny: what it is, its schema says.
async function dataOf(line: string): Promise<any> {
  return JSON.parse(JSON.stringify((await answerOf(kernel, line)).json()));
}

async function failureOf(line: string): Promise<DumpError> {
  try {
    [...(await answerOf(kernel, line)).text()];
  } catch (error) {
    if (error instanceof DumpError) return error;
    throw error;
  }
  throw new Error(`${line} did not fail`);
}

const examples = typeCommands.flatMap((command) =>
  command.examples.map(([words]) => ({ words, schema: command.schema })),
);
const more = [
  ['struct list_head -o modules', 'struct/1'],
  ['struct list_head modules 3', 'struct/1'],
  ['struct list_head modules -c -2', 'struct/1'],
  ['struct task_struct init_task', 'struct/1'],
  ['struct mm_struct init_mm -x', 'struct/1'],
  ['union rcu_special init_task.rcu_read_unlock_special', 'struct/1'],
  ['whatis jiffies', 'whatis/1'],
  ['whatis atomic_t -o', 'whatis/1'],
  ['p runqueues', 'print/1'],
  ['p runqueues:a', 'print/1'],
  ['p schedule', 'print/1'],
  ['p init_task.comm[0]', 'print/1'],
  ['p -- -1', 'print/1'],
  ['task', 'task/1'],
  ['task -x 1 2', 'task/1'],
  ['task -R cpu,comm swapper/0', 'task/1'],
] as const;
const lines = [...examples.map(({ words, schema }) => [words, schema] as const), ...more];

describe('JSON', () => {
  test.each(lines)('%s is what its schema says', async (line, schema) => {
    const answer = await answerOf(kernel, line);
    const origin = { version: '0', schema: answer.schema ?? schema, input: 'dump' };
    const document = answerEnvelope(origin, answer);
    // As a program gets it: without what is undefined.
    const read = JSON.parse(JSON.stringify(document)) as typeof document;
    expect(schemaProblems(read)).toEqual([]);
    expect([...answer.text()].length).toBeGreaterThan(0);
  });

  test('members of structs without a name stand in their parent, 64 bits are strings', async () => {
    const { objects } = await dataOf('struct task_struct init_task');
    const [{ value }] = objects;
    expect(value.comm).toBe('swapper/0');
    expect(value.rcu_users.refs.counter).toBeTypeOf('number');
    expect(value.se.load.weight).toBe('1048576');
    expect(value.tasks.next).toMatch(/^0x[0-9a-f]{16}$/);
    expect(value.vtime.state).toBe('VTIME_IDLE');
    expect(value.cpus_mask.bits).toHaveLength(128);
  });

  test('eval carries the number whole, signed and by bits', async () => {
    expect(await dataOf('eval "0x8000000000000001"')).toEqual({
      hexadecimal: '0x8000000000000001',
      decimal: '9223372036854775809',
      signed: '-9223372036854775807',
      bits: [63, 0],
    });
  });
});

describe('words', () => {
  test('members by path where crash knows one step only', async () => {
    const line = 'struct task_struct.pid_links[1].next,se.load.weight init_task';
    const lines = ['  pid_links[1].next = 0x0,', '  se.load.weight = 1048576,'];
    expect(await linesOf(kernel, line)).toEqual(lines);
  });

  test('a list leads on: the address of a link, and what contains it', async () => {
    const line = 'struct task_struct.comm -l task_struct.tasks init_task.tasks.next';
    const [text] = await linesOf(kernel, line);
    expect(text).toMatch(/^ {2}comm = "init\\000/);
  });

  test('sizeof knows types, variables and members', async () => {
    expect(await linesOf(kernel, 'sizeof page')).toEqual(['struct page: 64 bytes']);
    expect(await linesOf(kernel, 'sizeof "struct page *"')).toEqual(['struct page *: 8 bytes']);
    expect(await linesOf(kernel, 'sizeof init_task.comm')).toEqual(['char [16]: 16 bytes']);
    expect(await linesOf(kernel, 'sizeof char')).toEqual(['char: 1 byte']);
  });

  test('values are numbered through a session', async () => {
    const [first, second] = [await linesOf(kernel, 'p 1'), await linesOf(kernel, 'p 1')];
    const numberOf = ([line = '']: string[]): number => Number(/^\$(\d+) = 1$/.exec(line)?.[1]);
    expect(numberOf(second)).toBe(numberOf(first) + 1);
  });

  test.each([
    ['struct', 'usage'],
    ['struct no_such_struct', 'absent'],
    ['struct task_struct.no_such_member', 'absent'],
    ['struct task_struct. init_task', 'usage'],
    ['struct list_head modules 0', 'usage'],
    ['struct list_head modules 99999999', 'usage'],
    ['struct list_head -l list_head modules', 'usage'],
    ['struct list_head 10', 'absent'],
    ['struct rq.cpu runqueues:7', 'absent'],
    ['struct rq.cpu runqueues:1,,2', 'usage'],
    ['struct list_head -xd modules', 'usage'],
    ['whatis', 'usage'],
    ['whatis no_such_thing', 'absent'],
    ['whatis panic_print', 'absent'],
    ['p', 'usage'],
    ['p panic_print', 'absent'],
    ['p "*(struct list_head *)8"', 'absent'],
    ['eval', 'usage'],
    ['eval 1gb', 'absent'],
    ['eval "1 +"', 'usage'],
    ['sizeof', 'usage'],
    ['sizeof panic_print', 'absent'],
    ['task 99999', 'absent'],
    ['task -R no_such_member 1', 'absent'],
  ])('%s fails by name', async (line, code) => {
    expect((await failureOf(line)).code).toBe(code);
  });
});

describe('pages that the dump lacks', () => {
  test('a struct shows what is there, marks what is not, and counts it', async () => {
    const at = kernel.symbol('init_task').address + 2048n;
    const lost = Number(kernel.memory.translate(at).physical >> 12n);
    const poor = openKernel(
      withPages(kernel.dump, (pfn, bytes) => (pfn === lost ? 'missing' : bytes)),
    );
    const answer = await answerOf(poor, 'struct task_struct init_task');
    const text = [...answer.text()].join('\n');
    expect(text).toContain('  pid = <not in the dump>,');
    expect(text).toMatch(/^ {2}stack = 0x[0-9a-f]+ <init_stack>,$/m);
    expect(answer.missing.map(({ what }) => what)).toEqual(['members']);
    expect(answer.missing[0]!.count).toBeGreaterThan(100);
    await expect(linesOf(poor, 'struct task_struct.pid init_task')).rejects.toThrow(DumpError);
  });
});

test('help of each command shows its examples', () => {
  for (const command of typeCommands) {
    let text = '';
    const analyze = commandTree('0').commands.find((one) => one.name() === 'analyze')!;
    const node = analyze.commands.find((one) => one.name() === command.name)!;
    node.configureOutput({
      writeOut: (part) => {
        text += part;
      },
    });
    node.outputHelp();
    for (const [words] of command.examples) expect(text).toContain(`analyze vmcore ${words}`);
    expect(command.examples.map(([words]) => splitWords(words)[0])).toEqual(
      command.examples.map(() => command.name),
    );
  }
});

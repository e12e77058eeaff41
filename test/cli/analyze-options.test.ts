/** Letters of crash's commands: their JSON, what they refuse, what they say of what is missing. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { callOf } from '../../src/analyze/parse.ts';
import { commands } from '../../src/analyze/table.ts';
import { splitWords } from '../../src/analyze/words.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import { encodeUtf8 } from '../../src/bytes/text.ts';
import { answerCall } from '../../src/cli/analyze.ts';
import type { Io } from '../../src/cli/io.ts';
import { Session } from '../../src/cli/session.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { StackTable } from '../../src/linux/stacks.ts';
import { answerEnvelope } from '../../src/render/envelope.ts';
import { kernelOf } from '../fixtures/machine.ts';
import { answerOf, linesOf } from '../support/ask.ts';
import { dumpLike, dumpPath, openFile, openFixture } from '../support/fixture.ts';
import { PatchedDump } from '../support/patched.ts';
import { schemaProblems } from '../support/schemas.ts';

const original = await openFixture();
const kernel = openKernel(original);
const patched = new PatchedDump(original);
afterEach(() => patched.restore());
afterAll(() => original.close());

async function documentOf(of: Kernel, line: string): Promise<ReturnType<typeof answerEnvelope>> {
  const answer = await answerOf(of, line);
  const command = commands.find(({ name }) => name === line.split(' ')[0])!;
  const schema = answer.schema ?? command.schema;
  return answerEnvelope({ version: '0', schema, input: 'dump' }, answer);
}

// biome-ignore lint/suspicious/noExplicitAny: the documents are judged by their schemas
async function dataOf(line: string, of = kernel): Promise<any> {
  return (await documentOf(of, line)).data;
}

const lines = [
  'struct list_head -r modules 2', 'struct nsproxy -p init_nsproxy', 'struct list_head -f 0',
  'struct file_system_type.name,next,owner -p sysfs_fs_type', 'struct rq.curr -p runqueues:a',
  'whatis -r 192', 'whatis -m mm_struct -r 24-48', 'search -t init_task', 'search -T 0',
  'search -x 2 -s ffff8d1e03df4180 -l 4096 ffff8d1e03df4180', 'search -V init_task',
  'vm -f 8000875', 'vm -R busybox 1', 'vm -R 5e0010 1', 'vm -P ffff8d1e03909a18 1',
  'vm -M ffff8d1e0390c900 122', 'files -p ffff8d1e047a06b0', 'files -R null 1', 'rd -f 0 4',
  'rd -r out linux_banner 8', 'ps -l', 'ps -m -C a', 'ps -S', 'ps -A', 'ps -G', 'ps -r 1', 'ps -g',
  'ps -y FIFO', 'ps -us', 'bt -t', 'bt -T 1', 'bt -o', 'bt -sx', 'bt -F', 'bt -FF 1', 'bt -v',
  'bt -E', 'bt -c 1', 'bt -a -n idle', 'bt -g 1', 'bt -R vfs_write', 'bt -S ffffd090c0013d00',
  'bt -I ffffffff9a54d95b -S ffffd090c0013bb0', 'log -d', 'log -c', 'log -a', 'log -s',
  'sym -np jiffies', 'sym -M', 'sym -m virtio', 'p -u 1', 'sys -c readv', 'sys -t', 'sys -i',
  'mod -t', 'foreach bt -R schedule', 'foreach files -R null', 'foreach vm -R busybox',
]; // biome-ignore format: one list

describe('JSON', () => {
  test.each(lines)('%s --json is what its schema says', async (line) => {
    const document = await documentOf(kernel, line);
    expect(schemaProblems(JSON.parse(JSON.stringify(document)))).toEqual([]);
  });

  test('says what the text says', async () => {
    const { objects } = await dataOf('struct nsproxy.uts_ns,mnt_ns -p init_nsproxy');
    expect(objects[0].targets.uts_ns).toMatchObject({ symbol: 'init_uts_ns' });
    expect(objects[0].targets.uts_ns.value.name.sysname).toBe('Linux');
    const { types } = await dataOf('whatis -r 174208');
    expect(types).toEqual([{ name: 'pglist_data', size: 174208 }]);
    expect(await dataOf('ps -S')).toEqual({ tasks: [], states: { RU: 6, IN: 21, ID: 36 } });
    const { tasks } = await dataOf('ps -r 1');
    expect(tasks[0].limits).toMatchObject({
      CPU: { current: null, maximum: null },
      NOFILE: { current: '1024', maximum: '4096' },
    });
    expect((await dataOf('sys -i')).dmi).toMatchObject({ DMI_SYS_VENDOR: 'QEMU' });
  });
});

test('every example of the help is answered on the default machine', async () => {
  const machine = await kernelOf('null-process');
  const names = ['sys', 'log', 'ps', 'bt', 'mod', 'sym', 'foreach'];
  for (const { name, examples } of commands.filter((command) => names.includes(command.name))) {
    for (const [words] of examples) {
      const said = await linesOf(machine, words.split('|')[0]!.trim());
      expect(said, `${name}: ${words}`).not.toEqual(['']);
    }
  }
});

describe('refused', () => {
  test.each([
    ['struct list_head -p', '--pointers needs an address'],
    ['struct list_head -r', '--raw needs an address'],
    ['struct list_head -rp modules', '--raw and --pointers do not go together'],
    ['struct task_struct.comm,pid -r init_task', '--raw takes one member at most'],
    ['struct list_head -f 99999999999', 'the file has 0 left'],
    ['struct rcu_state -r rcu_state 10000', 'more than 16777216 bytes'],
    ['whatis -r 30000-', '"30000-" is no size'],
    ['whatis -m page list_head', 'take no name'],
    ['search -x 0 1', '"0" is no count of words'],
    ['search -x 2 -c text', '--text and --surroundings do not go together'],
    ['search -t -p 1', '--physical and --stacks do not go together'],
    ['vm -f 1 1', '--flags takes one value and no task'],
    ['vm -P 10 1', 'the task 1 has no mapping 0000000000000010'],
    ['files -p 10 1', '--inode takes one address and no task'],
    ['rd -m 1000', 'no dump of Xen'],
    ['rd -r out linux_banner', '--save needs to know how many bytes'],
    ['ps -C 0', '--cpus goes with --last or --ago'],
    ['ps -l -C 7', 'there is no CPU 7'],
    ['ps -Al', '--last and --active do not go together'],
    ['ps -y SLOW', '"SLOW" is no scheduling policy'],
    ['ps kw(', 'is no regular expression'],
    ['bt -I 1000', '--ip needs to know where on the stack'],
    ['bt -c 0 1', '--cpus takes no task'],
    ['bt -n busy', '"busy" cannot be left out'],
    ['bt -v 1', '--overflow checks every task'],
    ['bt -tF', '--symbolic and --text do not go together'],
    ['mod -s virtio', 'no file but the dump is ever opened'],
    ['sys nonsense', 'sys takes no "nonsense"'],
    ['sys config', 'does not keep its configuration'],
  ])('%s: %s', async (line, message) => {
    const error = await answerOf(kernel, line).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(DumpError);
    expect((error as DumpError).message).toContain(message);
  });

  test('-f where memory comes from no file', async () => {
    const of = openKernel(dumpLike(original, {}));
    await expect(answerOf(of, 'rd -f 0')).rejects.toThrow('is no file');
  });
});

describe('what is not there', () => {
  test('struct -p: a target that was left out is said, its pointer is shown', async () => {
    const target = kernel.symbol('init_uts_ns').address;
    patched.remove(target, 1);
    const of = openKernel(patched.dump);
    const answer = await answerOf(of, 'struct nsproxy.uts_ns,pid_ns_for_children -p init_nsproxy');
    const text = [...answer.text()];
    expect(text[0]).toBe(`  struct uts_namespace *uts_ns = 0x${target.toString(16)}`);
    expect(text[1]).toBe('  -> <init_uts_ns> (not accessible)');
    expect(text[3]).toContain('  -> <init_pid_ns> {');
    expect(answer.missing).not.toEqual([]);
  });

  test('bt -v does not call stacks sound that nobody could read', async () => {
    const stacks = new StackTable(kernel);
    const task = kernel.symbol('init_task').address;
    patched.remove(stacks.ofTask(task)!.start, 1);
    const of = openKernel(patched.dump);
    const answer = await answerOf(of, 'bt -v');
    expect([...answer.text()].at(-1)).toBe(
      'No stack overflows detected on the 62 stacks that could be read',
    );
    expect(answer.missing).toMatchObject([{ what: 'stacks', count: 1 }]);
  });

  test('bt -v shows the task that wrote beyond the end of its stack', async () => {
    const stack = new StackTable(kernel).ofTask(0xffff8d1e03df4180n)!;
    patched.writeU64(stack.start, 0x1234n);
    expect(await linesOf(openKernel(patched.dump), 'bt -v')).toEqual([
      'PID: 1        TASK: ffff8d1e03df4180  CPU: 0    COMMAND: "init"',
      '  possible stack overflow: 1234 != STACK_END_MAGIC',
    ]);
  });

  test('log -a does not call a queue empty that is not in the dump', async () => {
    patched.remove(kernel.symbol('audit_queue').address, 1);
    const answer = await answerOf(openKernel(patched.dump), 'log -a');
    expect([...answer.text()]).toEqual([]);
    expect(answer.missing).toMatchObject([{ what: 'audit records' }]);
  });

  test('ps -r: limits of a task whose signal_struct is damaged are missing, not zero', async () => {
    const { types } = kernel;
    const offset = types.offsetOf('struct task_struct', 'signal');
    patched.writeU64(0xffff8d1e03df4180n + BigInt(offset), 0x1000n);
    const answer = await answerOf(openKernel(patched.dump), 'ps -r 1');
    expect([...answer.text()][1]).toBe('(not in the dump)');
    expect(answer.missing).toContainEqual(expect.objectContaining({ what: 'resource limits' }));
  });
});

describe('audit records', () => {
  const at = (offset: number): bigint => kernel.symbol('__log_buf').address + BigInt(offset);
  const member = (name: string): number => kernel.types.offsetOf('struct sk_buff', name);

  /** A buffer on the queue, which leads to `next`. */
  function enqueue(buffer: number, next: bigint, length: number): void {
    patched.writeU64(at(buffer), next);
    patched.writeU64(at(buffer + member('data')), at(0x1800));
    patched.write(at(buffer + member('len')), Uint8Array.of(length, 0, 0, 0));
  }

  test('are those that stand in the buffers of a queue', async () => {
    const queue = kernel.symbol('audit_queue').address;
    patched.writeU64(queue, at(0x1000));
    enqueue(0x1000, queue, 16 + 12);
    const header = Uint8Array.of(28, 0, 0, 0, 0x14, 0x05, 0, 0);
    patched.write(at(0x1800), header);
    patched.write(at(0x1810), encodeUtf8('audit(1): a=\0rest'));
    const of = openKernel(patched.dump);
    expect(await linesOf(of, 'log -a')).toEqual(['type=1300 audit(1): a=']);
    const document = await documentOf(of, 'log -a');
    expect(schemaProblems(JSON.parse(JSON.stringify(document)))).toEqual([]);
  });

  test('a queue that runs in a circle ends, and so does a wild length', async () => {
    const queue = kernel.symbol('audit_queue').address;
    patched.writeU64(queue, at(0x1000));
    enqueue(0x1000, at(0x1000), 3);
    const answer = await answerOf(openKernel(patched.dump), 'log -a');
    expect(answer.errors?.map(({ message }) => message)).toEqual([
      'an audit record of 3 bytes',
      'a queue of audit records has no end',
    ]);
  });
});

describe('rd -r on the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsdump-options-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const settings = { json: false, quiet: true, verbose: false, color: false, strict: false };

  async function run(line: string): Promise<{ status: number; out: string; err: string }> {
    let [out, err] = ['', ''];
    const io: Io = {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      open: () => ({
        write: async (text) => {
          out += text;
          return true;
        },
        end: async () => 0,
      }),
      colour: false,
      width: undefined,
      progress: false,
    };
    const session = new Session(dumpPath('sysrq.kdump'), settings, io);
    await session.open();
    const status = await answerCall(session, callOf(splitWords(line)));
    session.close();
    return { status, out, err };
  }

  test('writes the file, and never over one that is there', async () => {
    const file = join(folder, 'banner');
    const first = await run(`rd -r ${file} linux_banner 13`);
    expect(first).toMatchObject({ status: 0, err: '' });
    expect(first.out).toMatch(/^13 bytes copied from 0x[0-9a-f]{16} to /);
    expect(readFileSync(file, 'latin1')).toBe('Linux version');
    const second = await run(`rd -r ${file} linux_banner 5`);
    expect(second.status).not.toBe(0);
    expect(second.out).toBe('');
    expect(readFileSync(file, 'latin1')).toBe('Linux version');
  });
});

describe('answers', () => {
  test('rd -r: the bytes as they are, for whoever writes the file', async () => {
    const answer = await answerOf(kernel, 'rd -r out linux_banner 13');
    expect(answer.saves?.file).toBe('out');
    expect(new TextDecoder().decode(answer.saves?.bytes)).toBe('Linux version');
    expect([...answer.text()]).toEqual([expect.stringMatching(/^13 bytes copied from .* to out$/)]);
  });

  test('ps: a word with signs that no name has is a regular expression', async () => {
    const tasks = (await dataOf('ps ^migration/[01]$')).tasks as { comm: string }[];
    expect(tasks.map(({ comm }) => comm)).toEqual(['migration/0', 'migration/1']);
  });

  test('ps -s: the stack pointer of a running task is not known', async () => {
    const [one] = (await dataOf('ps -s 1')).tasks;
    expect(one).toMatchObject({ active: true, stackPointer: null });
  });

  test('bt -n idle: an idle task is named, without its stack', async () => {
    const machine = await kernelOf('null-process');
    const said = await linesOf(machine, 'foreach 0 bt -n idle');
    expect(said.filter((line) => line.includes('#'))).toEqual([]);
    expect(said.filter((line) => line.includes('swapper'))).toHaveLength(machine.cpus.length);
  });

  test('bt -S -I: the walk begins where somebody says', async () => {
    const said = await linesOf(kernel, 'bt -I ffffffff9a54d95b -S ffffd090c0013bb0');
    expect(said[1]).toContain('#0 [ffffd090c0013bb0] ksys_write at ffffffff9a54d95b');
    expect(said[2]).toContain('#1 [ffffd090c0013be0] do_syscall_64 at ffffffff9ac03f4d');
  });

  test('-u: pointers lead to what the task itself would read', async () => {
    const machine = await kernelOf('base');
    const value = await linesOf(machine, 'foreach 1 p -ux "*(unsigned int *)0x400000"');
    expect(value[1]).toMatch(/^\$\d+ = 0x464c457f$/);
    const said = await linesOf(machine, 'foreach 1 struct list_head.next -u 400000');
    expect(said[1]).toBe('  next = 0x3010102464c457f,');
  });

  test('log -c: who said it, as on a console', async () => {
    const [first] = await linesOf(kernel, 'log -cm');
    expect(first).toMatch(/^\[ {4}0\.000000\] \[ {4}T0\] <5>Linux version /);
  });

  test('foreach passes over tasks that have nothing of what is looked for', async () => {
    const said = await linesOf(kernel, 'foreach user vm -R 12168000');
    const heads = said.filter((line) => line.startsWith('PID:'));
    expect(heads.map((line) => Number(line.slice(5, 12)))).toEqual([1, 115, 116]);
  });

  test('printk puts aside nothing on kernels that have no buffers for it', async () => {
    expect(await linesOf(kernel, 'log -s')).toEqual(['']);
    const older = await openFile(dumpPath('linux-5.10.kdump'));
    const answer = await answerOf(openKernel(older), 'log -s');
    expect(answer.missing).toMatchObject([{ what: 'buffers', count: 4 }]);
    older.close();
  });
});

import { afterAll, expect, test } from 'vitest';
import { openKernel } from '../../src/linux/kernel.ts';
import { addressOf, memberAddress } from '../../src/linux/objects.ts';
import { taskState } from '../../src/linux/tasks.ts';
import { openFixture } from '../support/fixture.ts';
import { PatchedDump } from '../support/patched.ts';

const original = await openFixture();
const patched = new PatchedDump(original);
afterAll(() => original.close());

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** __state and exit_state as include/linux/sched.h has them, and what ps shows. */
test.each([
  [0x0000, 0x00, 'RU'],
  [0x0001, 0x00, 'IN'],
  [0x2001, 0x00, 'IN'],
  [0x0002, 0x00, 'UN'],
  [0x0102, 0x00, 'UN'],
  [0x0402, 0x00, 'ID'],
  [0x0104, 0x00, 'ST'],
  [0x0008, 0x00, 'TR'],
  [0x0040, 0x00, 'PA'],
  [0x0080, 0x00, 'DE'],
  [0x0000, 0x10, 'DE'],
  [0x0080, 0x20, 'ZO'],
  [0x0200, 0x00, 'WA'],
  [0x0800, 0x00, 'NE'],
  [0x1000, 0x00, 'UN'],
  [0x8000, 0x00, 'UN'],
  [0x4000_0000, 0x00, '??'],
])('state %i, exit state %i: %s', (state, exitState, letters) => {
  const init = [...openKernel(original).tasks()].find((task) => task.pid === 1)!;
  patched.write(memberAddress(init, '__state'), u32(state));
  patched.write(memberAddress(init, 'exit_state'), u32(exitState));
  const task = openKernel(patched.dump).object('struct task_struct', addressOf(init));
  expect(taskState(task)).toBe(letters);
  patched.restore();
});

test('threads follow their leader, though no list of processes has them', () => {
  const all = [...openKernel(original).tasks()];
  const pids = all.map((task) => task.pid);
  const leader = all.find((task) => task.pid === 1)!;
  const thread = all.findLast((task) => task.pid > 2)!;
  const address = (task: typeof leader, path: string): bigint => memberAddress(task, path);
  // Off the list of processes, and onto the threads of process 1.
  const next = address(thread, 'tasks');
  const links = openKernel(original).memory;
  patched.writeU64(links.u64(next + 8n), links.u64(next));
  const head = address(leader.signal, 'thread_head');
  patched.writeU64(address(leader, 'thread_node'), address(thread, 'thread_node'));
  patched.writeU64(address(thread, 'thread_node'), head);
  const list = openKernel(patched.dump).tasks();
  const found = [...list].map((task) => task.pid);
  expect(list.complete).toBe(true);
  expect(found).toHaveLength(pids.length);
  expect(found.indexOf(thread.pid)).toBe(found.indexOf(1) + 1);
  patched.restore();
});

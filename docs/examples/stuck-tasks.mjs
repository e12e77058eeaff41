// Which tasks wait for what? Lists each uninterruptible task with the function that it sleeps in.
//
//   node docs/examples/stuck-tasks.mjs vmcore
import { backtrace, openDump, openKernel, taskState } from 'tsdump';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: stuck-tasks.mjs VMCORE');

const dump = await openDump(file);
try {
  const kernel = openKernel(dump);
  const tasks = kernel.tasks();
  for (const task of tasks) {
    const state = taskState(task);
    if (state !== 'UN' && state !== 'ID') continue;
    // Skip the scheduler itself: who called it is what the task waits in.
    const { frames } = backtrace(kernel, { task });
    const waiting = frames.find(({ symbol }) => !/schedule/.test(symbol ?? ''));
    console.log(`${state} ${String(task.pid).padStart(6)} ${task.comm} in ${waiting?.symbol}`);
  }
  if (!tasks.complete) console.log(`incomplete: ${tasks.problems[0]?.message}`);
} finally {
  dump.close();
}

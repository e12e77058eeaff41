// Where do the tasks wait? Counts those of one state by the function that they sleep in.
//
//   tsdump analyze vmcore --script docs/examples/sleepers.ts -- IN
import { backtrace, DumpError, type Script, taskState } from 'tsdump';

export default (({ kernel, words, json, print, note }) => {
  const [state = 'UN'] = words;
  const places = new Map<string, number[]>();
  const tasks = kernel.tasks();
  for (const task of tasks) {
    if (taskState(task) !== state) continue;
    const { frames } = backtrace(kernel, { task });
    // Skip the scheduler itself: who called it is what the task waits in.
    const place = frames.find(({ symbol }) => symbol && !/schedule/.test(symbol));
    const name = place?.symbol ?? 'unknown';
    places.set(name, [...(places.get(name) ?? []), task.pid]);
  }
  if (!tasks.complete) note(`incomplete: ${tasks.problems[0]?.message}`);
  if (places.size === 0) throw new DumpError('absent', `no task is in state ${state}`);

  const rows = [...places].sort(([, one], [, other]) => other.length - one.length);
  if (json) print(JSON.stringify(Object.fromEntries(rows)));
  else for (const [name, pids] of rows) print(`${pids.length} in ${name}: ${pids.join(' ')}`);
}) satisfies Script;

/** `repeat`: a command again and again. */

import { DumpError } from '../bytes/errors.ts';
import { type Run, wrappedIn } from './command.ts';

/** A day: timers of JavaScript end at 24 days. */
const mostSeconds = 86_400;

export const run: Run = (kernel, words, _, context) => {
  const inner = wrappedIn(context, 'repeat', words);
  const [, seconds = '0'] = /^(?:-(\d+))?$/.exec(words.join(' ')) ?? [];
  const again = Number(seconds);
  if (words.length > 1 || (words.length === 1 && !/^-\d+$/.test(words[0]!))) {
    throw new DumpError('usage', 'repeat takes [-SECONDS] and a command', {
      hint: 'repeat -1 p jiffies',
    });
  }
  if (again > mostSeconds) throw new DumpError('usage', `${again} seconds are more than a day`);
  return Object.create(inner.ask(kernel, context), {
    again: { value: again },
    schema: { value: inner.command.schema },
  });
};

/** Pipes into files: a flattened dump need not go to a pipe. */

import { Appender, type Pipe, type Sink } from '../bytes/sink.ts';

/** Finishing the pipe finishes the sink. */
export function pipeInto(sink: Sink): Pipe {
  const appender = new Appender(sink, 0);
  return {
    name: sink.name,
    append: (bytes) => appender.append(bytes),
    finish() {
      appender.flush();
      sink.finish();
    },
    abort: () => sink.abort(),
  };
}

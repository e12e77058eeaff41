/** The thread that answers for the shell at a terminal: it has the dump, and no terminal. */

import { parentPort, workerData } from 'node:worker_threads';
import { sayFailure } from '../failure.ts';
import { refuseOther } from '../file-identity.ts';
import type { Io } from '../io.ts';
import type { Output } from '../output.ts';
import { Session } from '../session.ts';
import { askWords } from './ask.ts';
import { completions } from './complete.ts';
import type { FromThread, ThreadStart, ToThread, Written } from './thread-messages.ts';

const shell = parentPort!;
const { file, flags, identity, settings, colour, width } = workerData as ThreadStart;

const say = (message: FromThread): void => shell.postMessage(message);

/** Who waits for the shell to have written. */
let written: ((reply: Written) => void) | undefined;

function answered(message: FromThread): Promise<Written> {
  return new Promise((resolve) => {
    written = resolve;
    say(message);
  });
}

function open(length: 'finite' | 'endless'): Output {
  say({ open: length });
  return {
    write: async (text) => (await answered({ write: text })).isRead,
    end: async () => (await answered({ end: true })).status,
  };
}

const io: Io = {
  out: (text) => say({ out: text }),
  err: (text) => say({ err: text }),
  open: () => open('finite'),
  progress: false,
  ...{ colour, width },
};

const session = new Session(file, settings, io, flags);
const opened = openDump();
// Whoever asks first is told.
opened.catch(() => {});

async function openDump(): Promise<void> {
  refuseOther(file, identity);
  await session.open();
}

shell.on('message', async (message: ToThread) => {
  if ('isRead' in message) {
    written?.(message);
    return;
  }
  try {
    await opened;
  } catch (error) {
    const status = sayFailure(error, { file, schema: 'sys/1', settings, io });
    say({ gone: true });
    say('complete' in message ? { completions: [[], ''] } : { status, context: message.context });
    // The next one finds it there again, perhaps.
    shell.close();
    return;
  }
  session.context = message.context;
  if ('complete' in message) {
    say({ completions: completions(session, message.complete) });
    return;
  }
  const status = await askWords(session, message.ask, open);
  say({ status, context: session.context });
});

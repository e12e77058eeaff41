/** `tsdump info FILE...`: what a dump is, in one look. */

import { infoOf } from '../check/info.ts';
import { infoEnvelope, infoLines } from '../render/info.ts';
import { forEachInput, inspected } from './dump-inputs.ts';
import { exitStatus } from './exit-status.ts';
import type { InfoRequest, Settings } from './handlers.ts';
import type { Io } from './io.ts';
import { packageVersion } from './version.ts';

const schema = 'info/1';

/** The result is the exit status. */
export async function informOf(
  { files, input }: InfoRequest,
  settings: Settings,
  io: Io,
): Promise<number> {
  const { json, strict } = settings;
  let count = 0;
  return forEachInput({ paths: files, flags: input, schema, settings, io }, async (opened) => {
    const { details, fileBytes } = await inspected(opened, 'headers');
    const info = infoOf(opened.dump);
    const view = { input: opened.name, info, fileBytes, details };
    if (json) {
      const origin = { version: packageVersion(), schema, input: opened.name };
      io.out(`${JSON.stringify(infoEnvelope(origin, view))}\n`);
    } else {
      const colour = io.colour ? 'colour' : 'plain';
      const lines = infoLines(view, { width: io.width ?? 80, colour });
      io.out(`${count++ > 0 ? '\n' : ''}${lines.join('\n')}\n`);
    }
    return strict && info.problems.length > 0 ? exitStatus.absent : exitStatus.done;
  });
}

/** `stat`: who the system is, when and why it stopped, and the end of its log, as in lcrash. */

import { plural } from '../bytes/text.ts';
import { readLog } from '../linux/log.ts';
import type { KernelLog, LogRecord } from '../linux/log-record.ts';
import type { Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { logLines, stateLines, systemFacts, systemJson, utsnameLines } from './lcrash-system.ts';
import { recordJson } from './log.ts';

/** LOG_BUF_LEN of the kernels that lcrash was made for: it showed all that was there. */
const shownBytes = 16 * 1024;

export const run: Run = (kernel) => {
  const gaps = new Gaps();
  const facts = systemFacts(kernel, gaps);
  const log = gaps.attempt('logs', () => readLog(kernel));
  const shown = log === undefined ? [] : lastOf(log);
  const earlier = (log?.records.length ?? 0) - shown.length;
  return {
    json: () => ({
      system: systemJson(facts),
      log: shown.map(recordJson),
      earlierRecords: log === undefined ? null : earlier,
    }),
    *text() {
      yield '';
      yield* utsnameLines(facts);
      yield '';
      yield* stateLines(facts);
      yield '';
      yield 'LOG_BUF:';
      yield '';
      yield* logLines(shown);
      yield '';
    },
    counted: plural(shown.length, 'record'),
    missing: [...gaps.missing, ...(log?.missing ?? [])],
    errors: gaps.errors,
    notes: earlier > 0 ? [`${plural(earlier, 'earlier record')}: \`log\` shows all`] : [],
  };
};

function lastOf({ records }: KernelLog): readonly LogRecord[] {
  let left = shownBytes;
  const first = records.findLastIndex(({ bytes }) => {
    left -= bytes.length;
    return left < 0;
  });
  return records.slice(first + 1);
}

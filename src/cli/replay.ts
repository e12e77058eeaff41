/** A trial of a campaign as a capture: what a line of its results says was run. */

import { DumpError } from '../bytes/errors.ts';
import { isTrial } from '../compare/results.ts';
import type { TrialLine } from '../compare/trial-line.ts';
import { parseFault } from '../trial/faults/fault.ts';
import type { Scenario } from '../trial/scenario.ts';
import type { CaptureFlags } from './handlers.ts';
import { readText } from './world.ts';

export interface Replay {
  /** As they would have been given. */
  readonly flags: CaptureFlags;
  readonly scenario: Scenario;
}

/** Characters; results have hundreds for each of a million trials. */
const maxResults = 400 * 1024 * 1024;
/** What a line says itself. */
const said = ['scenario', 'fault', 'seed', 'machine', 'hardware', 'watchdog', 'level'] as const;

/** `text`: the line itself, or FILE:NUMBER of it. Throws `usage`. */
export function replayOf(text: string, flags: CaptureFlags): Replay {
  const also = said.find((option) => flags[option] !== undefined);
  if (also !== undefined) {
    throw new DumpError('usage', `--replay: the line says what was run, --${also} cannot`);
  }
  const line = lineOf(text.startsWith('{') ? text : lineIn(text));
  const { method, level, compression, seed, verdict, machine } = line;
  return {
    flags: {
      ...flags,
      ...{ method, level: String(level), compress: compression, seed: String(seed) },
      expect: flags.expect ?? verdict,
      ...(machine === null ? {} : { machine }),
    },
    scenario: {
      ...{ name: line.scenario, title: 'a trial of a campaign', why: '', image: line.image },
      ...{ load: line.load, watchdog: undefined, expect: {} },
      trigger: line.trigger ?? undefined,
      hardware: line.hardware ?? undefined,
      faults: line.faults.map(parseFault),
    },
  };
}

function lineIn(place: string): string {
  const [, file, number] = /^(.+):(\d{1,9})$/.exec(place) ?? [];
  if (file === undefined) {
    throw new DumpError('usage', `--replay ${place}: neither a line of results nor FILE:NUMBER`);
  }
  const line = readText(file, maxResults).split('\n')[Number(number) - 1];
  if (line !== undefined && line !== '') return line;
  throw new DumpError('usage', `--replay ${place}: the file has no such line`);
}

function lineOf(text: string): TrialLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DumpError('usage', '--replay: the line is no JSON');
  }
  if (isTrial(value)) return value;
  throw new DumpError('usage', '--replay: the line is no trial', {
    hint: 'the first line of results is the campaign, each other one a trial',
  });
}
